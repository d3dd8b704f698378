//! Making a dataset from its spec.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use luthier_data::{Dataset, DatasetOptions, TemplateUse};
use luthier_protocol::Event;
use luthier_protocol::response::DatasetInfo;
use luthier_protocol::spec::{DatasetSpec, RolesSpec};
use luthier_synth::{SynthesisOptions, TaskTemplate, TemplateDescriptor};

use super::{databases, info};
use crate::Error;
use crate::error::AtExt;
use crate::plugins::TemplateRequest;
use crate::project::check_name;
use crate::service::Context;
use crate::store::DatasetRecord;

/// Raised when the same spec and file make other rows than before.
const RECIPE_VERSION: &str = "1";

/// Rows made by a template if the spec does not say how many.
const DEFAULT_ROWS: u32 = 1000;

/// A dataset that lies in the project.
pub(crate) struct Made {
    pub(crate) dataset: Dataset,
    pub(crate) info: DatasetInfo,
}

/// Import or generate, and store. What is there already from the same spec and sources is taken as
/// it is, so that a notebook can be run again.
pub(crate) fn make(context: Context<'_>, spec: &DatasetSpec) -> Result<Made, Error> {
    let name = spec.name.clone().ok_or_else(|| Error::invalid("the dataset's name", "missing", "a name"))?;
    check_name("dataset", &name).at("/name")?;
    let sources = Sources::find(context, spec)?;
    let digest = sources.digest(spec);
    let store = context.project.store()?;
    if let Some(record) = store.dataset(&name)? {
        match record.source_digest == digest {
            // Rows that cannot be read any more are made again.
            true => {
                if let Ok(dataset) = super::read(context.project, &record) {
                    return Ok(Made { dataset, info: record.info });
                }
            }
            false if !spec.overwrite => {
                return Err(Error::Exists { what: "dataset", name }.at("/name"));
            }
            false => {}
        }
    }
    let dataset = match &sources.template {
        Some(template) => with_template(context, spec, &sources, template)?,
        None => Dataset::import(&sources.file()?, spec).at("/path")?,
    };
    let mut dataset = Dataset { name: name.clone(), ..dataset };
    if let Some(before) = store.dataset(&name)?.and_then(|record| super::read(context.project, &record).ok()) {
        dataset.warnings.extend(luthier_data::dataset::moved_rows(&before, &dataset)?);
    }
    if let Some(path) = &spec.path {
        // As the person wrote it: a notebook's output does not tell where its project lies.
        dataset.source.clone_from(path);
    }
    let info = keep(context, &dataset, &digest, spec)?;
    Ok(Made { dataset: Dataset::read(&context.project.dataset_dir(&name))?, info })
}

/// Write a dataset into the project, in place of one of the same name; what people said about rows
/// that are still there goes on to count.
pub(crate) fn keep(
    context: Context<'_>,
    dataset: &Dataset,
    source_digest: &str,
    spec: &DatasetSpec,
) -> Result<DatasetInfo, Error> {
    let name = &dataset.name;
    let dir = context.project.dataset_dir(name);
    dataset.write(&dir)?;
    let reviewed = super::review::derive(context.project, dataset)?.derived;
    if reviewed.fingerprint != dataset.fingerprint {
        reviewed.write(&dir)?;
    }
    let record = DatasetRecord {
        info: info::describe(&reviewed),
        dir: format!("datasets/{name}"),
        source_digest: source_digest.to_owned(),
        spec: encode(&normal(spec)),
    };
    context.project.store()?.put_dataset(&record, &context.engine.clock().timestamp())?;
    Ok(record.info)
}

/// The spec without what does not shape the rows.
pub(super) fn normal(spec: &DatasetSpec) -> DatasetSpec {
    DatasetSpec { overwrite: false, ..spec.clone() }
}

/// Everything outside of the spec that the rows depend on.
struct Sources {
    path: Option<(PathBuf, String)>,
    template: Option<Template>,
    databases: BTreeMap<String, (String, String)>,
}

struct Template {
    id: String,
    digest: String,
    descriptor: TemplateDescriptor,
}

impl Sources {
    fn find(context: Context<'_>, spec: &DatasetSpec) -> Result<Sources, Error> {
        if spec.path.is_none() && spec.template.is_none() {
            return Err(Error::invalid("the dataset's source", "missing", "`path` of a file, or a `template`"));
        }
        let hashed = |path: &str| -> Result<(PathBuf, String), Error> {
            let path = context.project.resolve(path);
            let hash = crate::hash::file(&path)?;
            Ok((path, hash))
        };
        let path = spec.path.as_deref().map(hashed).transpose().at("/path")?;
        let template = spec.template.as_ref().map(|id| -> Result<Template, Error> {
            let (descriptor, digest) = context.engine.plugins.template(context.project, id).at("/template")?;
            Ok(Template { id: id.clone(), digest, descriptor })
        });
        let database = |(name, path): (&String, &String)| -> Result<_, Error> {
            let (_, hash) = hashed(path).at("/databases")?;
            Ok((name.clone(), (path.clone(), hash)))
        };
        let databases = spec.databases.iter().map(database).collect::<Result<_, _>>()?;
        Ok(Sources { path, template: template.transpose()?, databases })
    }

    fn digest(&self, spec: &DatasetSpec) -> String {
        let spec = encode(&normal(spec));
        let file = self.path.as_ref().map_or("", |(_, hash)| hash);
        let template = self.template.as_ref().map_or("", |template| &template.digest);
        let mut parts = vec![RECIPE_VERSION, &spec, file, template];
        parts.extend(self.databases.values().map(|(_, hash)| hash.as_str()));
        crate::hash::parts(parts.into_iter().map(str::as_bytes))
    }

    fn file(&self) -> Result<PathBuf, Error> {
        let path = self.path.as_ref().map(|(path, _)| path.clone());
        path.ok_or_else(|| Error::invalid("the dataset's source", "missing", "`path` of a file"))
    }
}

/// Rows under a task template: made by its generator, or imported for it.
fn with_template(
    context: Context<'_>,
    spec: &DatasetSpec,
    sources: &Sources,
    template: &Template,
) -> Result<Dataset, Error> {
    let config = serde_json::to_value(&spec.config).unwrap_or_default();
    let databases = databases::collect(context.project, &template.descriptor.databases, &spec.databases)?;
    let grants = databases::granted(context.project, &databases);
    let request = TemplateRequest { id: &template.id, config: &config, seed: spec.seed };
    let cancel = context.call.cancel_token();
    let mut opened = context.engine.plugins.open_template(context.project, &request, &grants, cancel).at("/config")?;
    let roles = roles(spec, &template.descriptor);
    let used = TemplateUse { id: template.id.clone(), config, digest: template.digest.clone() };
    let dataset = match &sources.path {
        Some((path, _)) => imported(path, spec, roles, databases, used)?,
        None => generated(context, spec, &mut opened, roles, databases, used)?,
    };
    Ok(dataset)
}

fn imported(
    path: &Path,
    spec: &DatasetSpec,
    roles: RolesSpec,
    databases: BTreeMap<String, String>,
    used: TemplateUse,
) -> Result<Dataset, Error> {
    let spec = DatasetSpec { roles, databases, ..spec.clone() };
    let mut dataset = Dataset::import(path, &spec).at("/path")?;
    dataset.template = Some(used);
    Ok(dataset)
}

fn generated(
    context: Context<'_>,
    spec: &DatasetSpec,
    template: &mut dyn TaskTemplate,
    roles: RolesSpec,
    databases: BTreeMap<String, String>,
    used: TemplateUse,
) -> Result<Dataset, Error> {
    let requested = spec.rows.unwrap_or(DEFAULT_ROWS);
    let stage = format!("generate {}", used.id);
    let mut progress = |done: u64, total: u64| {
        context.call.event(Event::Progress { stage: stage.clone(), done, total: Some(total) });
    };
    let options = SynthesisOptions::default();
    let synthesis = luthier_synth::synthesize(template, requested, &options, &mut progress, context.cancel())?;
    let source = format!("template {}, seed {}", used.id, spec.seed);
    let options = DatasetOptions {
        roles,
        splits: spec.splits.clone(),
        template: Some(used),
        databases,
        source,
        accounting: Some(synthesis.accounting),
    };
    let mut dataset = Dataset::from_batch(spec.name.as_deref().unwrap_or_default(), synthesis.rows, options)?;
    dataset.warnings.extend(synthesis.warnings);
    Ok(dataset)
}

/// Roles as the person says, else as the template does.
pub(crate) fn roles(spec: &DatasetSpec, descriptor: &TemplateDescriptor) -> RolesSpec {
    let given = spec.roles.clone();
    RolesSpec {
        prompt: given.prompt.or_else(|| descriptor.prompt_columns.first().cloned()),
        completion: given.completion.or_else(|| descriptor.target_column.clone()),
        group: given.group.or_else(|| descriptor.group_column.clone()),
        ..given
    }
}

fn encode(spec: &DatasetSpec) -> String {
    serde_json::to_string(spec).unwrap_or_default()
}
