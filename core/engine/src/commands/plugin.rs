//! `%plugin new | build | test | inspect | install | remove`, and `%%plugin`.

use std::path::{Path, PathBuf};

use luthier_plugin_host::{Kind, package};
use luthier_protocol::plugin::{PluginReport, PluginRequest};
use luthier_protocol::{Event, Response};

use crate::Error;
use crate::authoring::{self, Job, TestOptions};
use crate::datasets;
use crate::error::AtExt;
use crate::files::read_bytes;
use crate::plugins::{self, describe};
use crate::service::Context;

/// A cell's plugin without a name.
const CELL_NAME: &str = "cell-plugin";
/// A key in PKCS#8 has 83 bytes.
const MAX_KEY_BYTES: u64 = 4 << 10;

pub(crate) fn plugin(context: Context<'_>, request: PluginRequest) -> Result<Response, Error> {
    let report = match request {
        PluginRequest::New { name, kind, lang } => new(context, &name, &kind, &lang),
        PluginRequest::Build { path, sign } => build(context, &path, sign.as_deref()),
        PluginRequest::Test { plugin, data, limit, config, adversarial } => {
            let options = TestOptions { rows: None, limit, config: &config, adversarial };
            test(context, &plugin, data.as_deref(), options)
        }
        PluginRequest::Inspect { plugin } => inspect(context, &plugin),
        PluginRequest::Install { source } => install(context, &source),
        PluginRequest::Remove { plugin } => {
            Ok(PluginReport { done: plugins::remove(context, &plugin)?, ..PluginReport::default() })
        }
        PluginRequest::Cell { name, source } => cell(context, name.as_deref(), &source),
    };
    Ok(Response::Plugin(report?))
}

fn new(context: Context<'_>, name: &str, kind: &str, lang: &str) -> Result<PluginReport, Error> {
    let folder = authoring::scaffold(context.project, name, kind, lang)?;
    Ok(PluginReport {
        done: format!("made {name}: a {kind} in {lang}; `plugin build {name}`, then `plugin test {name}`"),
        path: Some(within(context, &folder)),
        ..PluginReport::default()
    })
}

fn build(context: Context<'_>, path: &str, sign: Option<&str>) -> Result<PluginReport, Error> {
    let folder = context.project.resolve(path);
    let stopwatch = context.engine.clock().stopwatch();
    let mut built = {
        let mut tell = |text: &str| say(context, text);
        let mut job = Job { say: &mut tell, cancel: Some(context.cancel()) };
        authoring::build(&folder, context.engine.plugins.build_dir(), &mut job)?
    };
    let mut facts = vec![("toolchain".to_owned(), built.toolchain.clone())];
    if let Some(key) = sign {
        let path = context.project.resolve(key);
        built.component = package::sign(&built.component, &signing_key(context, &path)?)?;
        luthier_data::atomic::write(&built.path, &built.component)
            .map_err(|source| Error::io("write", &built.path, source))?;
    }
    let plugin = context.engine.plugins.load(&built.component)?;
    facts.extend(package_facts(context, &built.component)?);
    facts.push(("seconds".to_owned(), format!("{:.1}", stopwatch.seconds())));
    Ok(PluginReport {
        done: format!("built {} {}", plugin.id(), plugin.version()),
        plugin: Some(describe(&plugin, path)),
        facts,
        path: Some(within(context, &built.path)),
        ..PluginReport::default()
    })
}

/// The key in a file; a new one, readable by its owner alone, if there is no file.
fn signing_key(context: Context<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    use std::os::unix::fs::OpenOptionsExt;
    if path.exists() {
        return read_bytes(path, MAX_KEY_BYTES);
    }
    let key = package::new_key()?;
    let io = |source| Error::io("write", path, source);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    std::io::Write::write_all(&mut file, &key).map_err(io)?;
    context.call.warn(format!("made a new signing key: {}; keep it out of the repository", path.display()));
    Ok(key)
}

fn test(context: Context<'_>, id: &str, data: Option<&str>, options: TestOptions<'_>) -> Result<PluginReport, Error> {
    let bytes = context.engine.plugins.bytes(context.project, id)?;
    let plugin = context.engine.plugins.load(&bytes)?;
    let package = context.engine.plugins.host().package(&bytes)?;
    let rows = data.map(|data| rows_of(context, data)).transpose().at("/data")?;
    let options = TestOptions { rows: rows.as_ref(), ..options };
    let (checks, table) = authoring::test(&plugin, &package, &options)?;
    let failed = checks.iter().filter(|check| !check.passed).count();
    Ok(PluginReport {
        done: match failed {
            0 => format!("{} passes {} checks", plugin.id(), checks.len()),
            n => format!("{} fails {n} of {} checks", plugin.id(), checks.len()),
        },
        plugin: Some(describe(&plugin, id)),
        checks,
        table,
        ..PluginReport::default()
    })
}

/// All rows of a file, or of a dataset.
fn rows_of(context: Context<'_>, data: &str) -> Result<arrow_array::RecordBatch, Error> {
    let path = context.project.resolve(data);
    if path.is_file() {
        return Ok(luthier_data::read_table(&path, None)?);
    }
    Ok(datasets::open(context, data)?.batch)
}

fn inspect(context: Context<'_>, source: &str) -> Result<PluginReport, Error> {
    let bytes = context.engine.plugins.bytes(context.project, source)?;
    let mut facts = package_facts(context, &bytes)?;
    let audit = context.engine.plugins.host().audit(&bytes)?;
    facts.insert(0, ("world".to_owned(), audit.world.to_owned()));
    let plugin = context.engine.plugins.load(&bytes)?;
    match audit.kind {
        Kind::Template => {
            if let Some(descriptor) = plugin.template_descriptor() {
                facts.push(("prompt from".to_owned(), descriptor.prompt_columns.join(", ")));
                facts.push(("metrics".to_owned(), descriptor.metrics.join(", ")));
                let names: Vec<_> = descriptor.databases.iter().map(|(name, _)| name.clone()).collect();
                facts.push(("brings databases".to_owned(), names.join(", ")));
            }
        }
        _ => {
            for output in plugin.metric_descriptors().unwrap_or_default() {
                let reads: Vec<_> =
                    output.inputs.iter().map(|input| format!("{} ({})", input.name, input.describe())).collect();
                facts.push((output.id.clone(), format!("{:?} of {}", output.aggregation, reads.join(", "))));
            }
        }
    }
    facts.push(("configuration".to_owned(), plugin.config_schema().to_string()));
    Ok(PluginReport {
        done: format!("{} {}", plugin.id(), plugin.version()),
        plugin: Some(describe(&plugin, source)),
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        ..PluginReport::default()
    })
}

fn install(context: Context<'_>, source: &str) -> Result<PluginReport, Error> {
    say(context, &format!("install {source}"));
    let installed = plugins::install(context, source)?;
    let plugin = &installed.plugin;
    Ok(PluginReport {
        done: format!("installed {} {} into plugins.lock", plugin.id(), plugin.version()),
        plugin: Some(describe(plugin, &installed.source)),
        facts: facts_of(&installed.package),
        checks: installed.checks,
        ..PluginReport::default()
    })
}

fn cell(context: Context<'_>, name: Option<&str>, source: &str) -> Result<PluginReport, Error> {
    let name = name.unwrap_or(CELL_NAME);
    let folder: PathBuf = authoring::cell_folder(context.project, name, source)?;
    let stopwatch = context.engine.clock().stopwatch();
    let built = {
        let mut tell = |text: &str| say(context, text);
        let mut job = Job { say: &mut tell, cancel: Some(context.cancel()) };
        authoring::build(&folder, context.engine.plugins.build_dir(), &mut job)?
    };
    let plugin = context.engine.plugins.install_for_session(context.project, built.component)?;
    Ok(PluginReport {
        done: format!("{} is installed until the engine ends", plugin.id()),
        plugin: Some(describe(&plugin, "this session")),
        facts: vec![("seconds".to_owned(), format!("{:.1}", stopwatch.seconds()))],
        path: Some(within(context, &built.path)),
        ..PluginReport::default()
    })
}

/// A path as the project sees it: a saved notebook does not tell where its project lies.
fn within(context: Context<'_>, path: &Path) -> String {
    path.strip_prefix(context.project.root()).unwrap_or(path).display().to_string()
}

fn package_facts(context: Context<'_>, bytes: &[u8]) -> Result<Vec<(String, String)>, Error> {
    Ok(facts_of(&context.engine.plugins.host().package(bytes)?))
}

fn facts_of(package: &luthier_plugin_host::Package) -> Vec<(String, String)> {
    let signed = package.signed_by.clone().unwrap_or_else(|| "nobody".to_owned());
    [
        ("license", package.license.clone()),
        ("authors", package.authors.join(", ")),
        ("homepage", package.homepage.clone()),
        ("golden cases", package.golden.len().to_string()),
        ("signed by", signed),
        ("about", package.readme.lines().take(12).collect::<Vec<_>>().join("\n")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn say(context: Context<'_>, text: &str) {
    context.call.event(Event::Progress { stage: text.to_owned(), done: 0, total: None });
}
