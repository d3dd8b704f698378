//! Golden cases: inputs with the outputs that a plugin's author promises. They travel in the plugin's
//! file and are replayed when it is installed: twice, in shuffled row order and in other batches.
//!
//! ```json
//! {"name":"a hit and a miss","config":{},"rows":[{"prediction":"a","reference":"a"},{"prediction":"b","reference":"a"}],
//!  "expect":[{"score":1.0},{"score":0.0}],"aggregate":{"score":0.5}}
//! {"call":"extract","completions":["SELECT 1;"],"expect":[{"found":"SELECT 1"}]}
//! ```
//!
//! A metric's row expects its columns by name, or `{"error": "code"}`. `tolerance` (1e-9) is absolute.
//! `databases` are SQLite scripts by the name under which they are granted.

mod metric;
mod rows;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::{Error, Plugin, Receipt, build_database, text};

pub(crate) use rows::batch;

/// What a replay came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Cases that held.
    pub cases: usize,
    /// What all calls took.
    pub receipt: Receipt,
}

/// Replays all cases. The first that does not hold is an error that names it.
pub fn replay(plugin: &Plugin, cases: &[Value]) -> Result<Replayed, Error> {
    let mut replayed = Replayed::default();
    for (number, case) in cases.iter().enumerate() {
        let case = Case::parse(plugin, number, case)?;
        let receipt = match plugin.metric_descriptors() {
            Some(_) => metric::replay(plugin, &case)?,
            None => template::replay(plugin, &case)?,
        };
        replayed.cases += 1;
        replayed.receipt = replayed.receipt.plus(receipt);
    }
    Ok(replayed)
}

/// One case, with its databases built.
pub(crate) struct Case<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) name: String,
    pub(crate) value: &'a Value,
    pub(crate) config: Value,
    pub(crate) tolerance: f64,
    pub(crate) databases: BTreeMap<String, PathBuf>,
    /// Holds the databases.
    _directory: Option<tempfile::TempDir>,
}

impl<'a> Case<'a> {
    fn parse(plugin: &'a Plugin, number: usize, value: &'a Value) -> Result<Self, Error> {
        let name = value.get("name").and_then(Value::as_str).map(|name| text::clean(name, 128));
        let mut case = Case {
            plugin: plugin.id(),
            name: name.unwrap_or_else(|| format!("number {}", number + 1)),
            value,
            config: value.get("config").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            tolerance: value.get("tolerance").and_then(Value::as_f64).unwrap_or(1e-9),
            databases: BTreeMap::new(),
            _directory: None,
        };
        if !value.is_object() {
            return Err(case.broken("it is not a JSON object"));
        }
        let own = plugin.template_descriptor().map(|descriptor| descriptor.databases.clone()).unwrap_or_default();
        let given = value.get("databases").and_then(Value::as_object).into_iter().flatten();
        let given = given.filter_map(|(name, script)| Some((name.clone(), script.as_str()?.to_owned())));
        let scripts: Vec<(String, String)> = own.into_iter().chain(given).collect();
        if !scripts.is_empty() {
            let io = |source| Error::Io { path: std::env::temp_dir(), source };
            let directory = tempfile::tempdir().map_err(io)?;
            for (i, (name, script)) in scripts.into_iter().enumerate() {
                let path = directory.path().join(format!("{i}.sqlite"));
                build_database(&script, &path)?;
                case.databases.insert(name, path);
            }
            case._directory = Some(directory);
        }
        Ok(case)
    }

    /// A list of the case.
    pub(crate) fn list(&self, key: &str) -> Result<&'a [Value], Error> {
        match self.value.get(key) {
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.broken(&format!("`{key}` is not a list"))),
            None => Err(self.broken(&format!("it has no `{key}`"))),
        }
    }

    /// The case does not hold.
    pub(crate) fn failed(&self, finding: String) -> Error {
        Error::Golden { plugin: self.plugin.to_owned(), case: self.name.clone(), finding: text::clean(&finding, 2_048) }
    }

    /// The case is not one.
    pub(crate) fn broken(&self, finding: &str) -> Error {
        self.failed(format!("the case itself is wrong: {finding}"))
    }
}
