//! Everything that can be wrong with a recipe, found before the first step.

use std::sync::Arc;

use luthier_data::{Dataset, ExampleBuilder};
use luthier_model::AdapterConfig;
use luthier_protocol::spec::FinetuneSpec;
use luthier_train::TrainConfig;

use super::config::train_config;
use super::rows::{self, TrainingRows};
use super::{Recipe, lint, method};
use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::hub::is_hub_name;
use crate::models::{AdapterOrigin, BUILTIN_NAMES, LoadedModel};
use crate::project::check_name;
use crate::service::Context;
use crate::task::Task;

/// A run that can begin.
pub(crate) struct Prepared {
    /// Name of the adapter.
    pub(crate) name: String,
    /// The model that is trained on.
    pub(crate) base: Arc<LoadedModel>,
    /// What is put on it; none: all weights are trained.
    pub(crate) adapter: Option<AdapterConfig>,
    /// Its data.
    pub(crate) dataset: Dataset,
    /// Tokenized rows.
    pub(crate) built: TrainingRows,
    /// Rows that are evaluated on while training, and their split.
    pub(crate) evaluation: Option<(String, TrainingRows)>,
    pub(crate) config: TrainConfig,
    pub(crate) recipe: Recipe,
    /// Things to know about the examples.
    pub(crate) warnings: Vec<String>,
}

impl Prepared {
    /// A failed step names its examples; what a person can look at are rows of the dataset.
    pub(super) fn name_rows(&self, error: luthier_train::Error) -> Error {
        use luthier_train::Error::{NonFiniteGradient, NonFiniteLoss};
        let examples = match &error {
            NonFiniteLoss { examples, .. } | NonFiniteGradient { examples, .. } => examples,
            _ => return error.into(),
        };
        let rows = examples.iter().filter_map(|example| self.built.rows.get(*example)).map(|row| row + 1).collect();
        Error::NotFinite {
            source: Box::new(error),
            data: self.dataset.name.clone(),
            split: self.recipe.spec.split.clone(),
            rows,
        }
    }
}

/// Check a spec, load its model, tokenize its rows. `going_on` is a run
/// that does, with its recipe.
pub(crate) fn prepare(
    context: Context<'_>,
    spec: &FinetuneSpec,
    going_on: Option<(&str, &Recipe)>,
) -> Result<Prepared, Error> {
    let name = spec.name.clone().ok_or_else(|| Error::invalid("the adapter's name", "missing", "a name"))?;
    check_free(context, &name, spec.overwrite, going_on.map(|(run, _)| run))?;
    let resolved = context.resolve(&spec.model).at("/model")?;
    if resolved.adapter.is_some() {
        let expected = format!("a model with weights of its own, as {}", resolved.base.name);
        return Err(Error::invalid("the model to train on", "an adapter", &expected)).at("/model");
    }
    let adapter = method::adapter_config(spec)?;
    let base = method::base(spec, context.engine.loaded.get(&resolved.base).at("/model")?)?;
    if let Some(config) = &adapter {
        config.check(&base.model).at("/lora")?;
    }
    let max_seq_len = max_seq_len(spec, &base)?;
    let config = train_config(&spec.train, max_seq_len);
    config.validate().at("/train")?;
    let dataset = open_dataset(context, spec, going_on.map(|(_, recipe)| recipe))?;
    let rows = datasets::rows(&dataset, &spec.split).at("/split")?;
    if spec.require_review && going_on.is_none() {
        lint::require_review(context, &dataset, &spec.split)?;
    }
    let mut task = Task::open(context, &dataset).at("/data")?;
    let prompter = base.prompter.clone();
    let builder =
        ExampleBuilder { prompter, max_seq_len, loss_on: spec.train.loss_on(), on_too_long: spec.train.on_too_long };
    let objective = config.objective.kind;
    let built = rows::build(context, &dataset, &rows, &mut task, &builder, objective)?;
    let built = lint::pass(context, &dataset, spec, &mut task, &rows, built)?;
    let evaluation = match evaluation_split(spec, &dataset)? {
        None => None,
        Some(split) => {
            let rows = datasets::rows(&dataset, &split).at("/train/eval_split")?;
            let built =
                rows::build(context, &dataset, &rows, &mut task, &builder, objective).at("/train/eval_split")?;
            Some((split, built))
        }
    };
    let data = (dataset.name.as_str(), dataset.fingerprint.as_str());
    // A branch of the hub may move; the run goes on with the commit that it began with.
    let model = if is_hub_name(&spec.model) { base.place.name.clone() } else { spec.model.clone() };
    let spec = FinetuneSpec { name: Some(name.clone()), model, ..spec.clone() };
    let mut recipe = Recipe::new(spec, data, &base.fingerprint, base.prompter.fingerprint(), task.fingerprint());
    recipe.data_splits = dataset.split_fingerprints();
    recipe.findings.clone_from(&built.findings);
    let warnings = built.warnings.iter().cloned().chain(built.findings.iter().map(ToString::to_string)).collect();
    Ok(Prepared { name, base, adapter, built, evaluation, config, recipe, warnings, dataset })
}

/// A run that goes on reads the rows that it began with, even if the name stands for others now.
pub(super) fn open_dataset(
    context: Context<'_>,
    spec: &FinetuneSpec,
    pinned: Option<&Recipe>,
) -> Result<Dataset, Error> {
    match pinned {
        Some(recipe) => datasets::open_version(context.project, &recipe.data, &recipe.data_fingerprint),
        None => datasets::open(context, &spec.data),
    }
    .at("/data")
}

/// The adapter's name must not hide a model, nor replace an adapter unasked.
pub(crate) fn check_free(context: Context<'_>, name: &str, overwrite: bool, run: Option<&str>) -> Result<(), Error> {
    check_name("adapter", name).at("/name")?;
    let taken = |what| Err(Error::Exists { what, name: name.to_owned() }).at("/name");
    if BUILTIN_NAMES.contains(&name) {
        return taken("model");
    }
    let given = context.project.store_if_any()?.map_or(Ok(Vec::new()), |store| store.model_names())?;
    if given.iter().any(|(given, _)| given == name) {
        return taken("model");
    }
    let dir = context.project.adapter_dir(name);
    // An engine that was killed between the adapter and its record has left this very run's.
    let is_own = run.is_some() && AdapterOrigin::read(&dir)?.is_some_and(|origin| Some(origin.run.as_str()) == run);
    if overwrite || is_own || !dir.exists() { Ok(()) } else { taken("adapter") }
}

fn max_seq_len(spec: &FinetuneSpec, base: &LoadedModel) -> Result<usize, Error> {
    let limit = base.model.config().max_seq_len;
    match spec.train.max_seq_len {
        None => Ok(limit),
        Some(wanted) if (2..=limit).contains(&wanted) => Ok(wanted),
        Some(wanted) => {
            let expected = format!("from 2 to {limit}, the model's context");
            Err(Error::invalid("max_seq_len", wanted, &expected)).at("/train/max_seq_len")
        }
    }
}

/// Splits that are for evaluation, in the order of preference.
const EVALUATION_SPLITS: [&str; 4] = ["validation", "valid", "dev", "test"];

/// The split that is evaluated on while training, if any is.
fn evaluation_split(spec: &FinetuneSpec, dataset: &Dataset) -> Result<Option<String>, Error> {
    let asked = &spec.train.eval_split;
    if spec.train.eval_steps == 0 {
        return match asked {
            None => Ok(None),
            Some(split) => Err(Error::invalid("eval_steps", 0, &format!("at least 1, to evaluate on {split:?}"))),
        }
        .at("/train/eval_steps");
    }
    let splits: Vec<String> = dataset.split_counts().into_iter().map(|(split, _)| split).collect();
    let found = match asked {
        Some(split) => Some(split.clone()),
        None => {
            EVALUATION_SPLITS.iter().find(|name| splits.iter().any(|split| split == *name)).map(|s| (*s).to_owned())
        }
    };
    match found {
        Some(split) if split == spec.split => {
            Err(Error::invalid("eval_split", split, "another split than the one trained on")).at("/train/eval_split")
        }
        Some(split) => Ok(Some(split)),
        None => {
            let expected = format!("a split of the dataset; it has {}", splits.join(", "));
            Err(Error::invalid("eval_split", "absent", &expected)).at("/train/eval_split")
        }
    }
}
