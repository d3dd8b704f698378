//! Where a model directory keeps its chat template, and the one rewrite that minijinja needs.

use std::path::Path;

use serde_json::Value;

use super::template_error;
use crate::tokenizer::{read_limited, read_object};
use crate::{Error, Result};

/// Templates in use have up to 20 KB.
const MAX_TEMPLATE_BYTES: u64 = 4 << 20;

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

/// Takes `{% generation %}` and `{% endgeneration %}` out. transformers uses them to mark an
/// answer's characters; they render as nothing, and minijinja does not know them. Each becomes a
/// statement that does nothing, which keeps the whitespace rules around it (`-`, `+`, `trim_blocks`).
pub(super) fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut is_raw = false;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (open, word, close) = split_signs(&tag[2..end]);
        match word.trim() {
            "generation" if !is_raw => out.push_str(&format!("{{%{open} if true {close}%}}")),
            "endgeneration" if !is_raw => out.push_str(&format!("{{%{open} endif {close}%}}")),
            word => {
                is_raw = (is_raw && word != "endraw") || word == "raw";
                out.push_str(&tag[..end + 2]);
            }
        }
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    out
}

/// The whitespace signs of a tag: `- word +` is `("-", " word ", "+")`.
fn split_signs(inner: &str) -> (&str, &str, &str) {
    const SIGNS: [char; 2] = ['-', '+'];
    let (open, word) = if inner.starts_with(SIGNS) { inner.split_at(1) } else { ("", inner) };
    let (word, close) = if word.ends_with(SIGNS) { word.split_at(word.len() - 1) } else { (word, "") };
    (open, word, close)
}
