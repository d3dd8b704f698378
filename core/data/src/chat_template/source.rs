//! Where a model directory keeps its chat template.

use std::path::Path;

use serde_json::Value;

use super::template_error;
use crate::tokenizer::{read_limited, read_object};
use crate::{Error, Result};

/// Templates in use have up to 20 KB.
const MAX_TEMPLATE_BYTES: u64 = 1 << 20;

/// Name and source, or None if the directory brings none.
pub(super) fn find(dir: &Path) -> Result<Option<(String, String)>> {
    const FILE: &str = "chat_template.jinja";
    let path = dir.join(FILE);
    if let Some(bytes) = read_limited(&path, MAX_TEMPLATE_BYTES)? {
        let source = String::from_utf8(bytes)
            .map_err(|error| template_error(FILE, format!("{} is not UTF-8: {error}", path.display())))?;
        return Ok(Some((FILE.to_string(), source)));
    }
    const CONFIG: &str = "tokenizer_config.json";
    let Some(config) = read_object(&dir.join(CONFIG))? else { return Ok(None) };
    match config.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(source)) => Ok(Some((CONFIG.to_string(), source.clone()))),
        Some(Value::Array(named)) => default_of(named).map(|source| Some((format!("{CONFIG}:default"), source))),
        Some(_) => Err(template_error(CONFIG, "expected a string or a list of named templates, found neither")),
    }
}

/// `[{"name": "default", "template": "…"}, …]`; a single template needs no name.
fn default_of(named: &[Value]) -> Result<String, Error> {
    let field = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_string);
    let chosen = named.iter().find(|entry| field(entry, "name").as_deref() == Some("default"));
    let chosen = chosen.or_else(|| if named.len() == 1 { named.first() } else { None });
    chosen.and_then(|entry| field(entry, "template")).ok_or_else(|| {
        let names: Vec<String> = named.iter().filter_map(|entry| field(entry, "name")).collect();
        template_error(
            "tokenizer_config.json",
            format!("expected a template named `default`, found {}", names.join(", ")),
        )
    })
}
