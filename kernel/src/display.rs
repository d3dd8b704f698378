//! What results look like: MIME bundles with an HTML form for notebooks and a text twin for
//! consoles, static pages and diffs.
//!
//! Colors are translucent or inherited, so that light and dark themes both work; there is no script
//! and no style sheet, because GitHub and nbconvert drop them. Text from models, data and plugins is
//! escaped here and nowhere else.

use std::collections::BTreeMap;

use luthier_protocol::{Failure, Response};
use serde_json::{Value, json};

pub mod html;
pub mod number;
pub mod table;
pub mod text;

pub mod asked;
pub mod check;
pub mod dataset;
pub mod exported;
pub mod finetune;
pub mod help;
pub mod lengths;
pub mod lists;
pub mod plan;
pub mod plugin;
pub mod records;
pub mod review;
pub mod scores;
pub mod shown;
pub mod synthesized;

pub mod chart;
pub mod png;
pub mod progress;

pub use table::Table;

/// One thing to show, in several forms. There is always a `text/plain`.
#[derive(Debug, Clone, PartialEq)]
pub struct MimeBundle {
    data: BTreeMap<String, Value>,
}

impl MimeBundle {
    /// A bundle of text only.
    pub fn text(text: impl Into<String>) -> Self {
        MimeBundle { data: BTreeMap::from([("text/plain".to_owned(), Value::String(text.into()))]) }
    }

    /// The bundle with an HTML form.
    #[must_use]
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.data.insert("text/html".into(), Value::String(html.into()));
        self
    }

    /// The bundle with a PNG.
    #[must_use]
    pub fn png(mut self, bytes: &[u8]) -> Self {
        self.data.insert("image/png".into(), Value::String(data_encoding::BASE64.encode(bytes)));
        self
    }

    /// The bundle with a Vega-Lite 5 chart.
    #[must_use]
    pub fn vega_lite(mut self, spec: Value) -> Self {
        self.data.insert("application/vnd.vegalite.v5+json".into(), spec);
        self
    }

    /// A bundle that somebody else made; a text form is added if it has none.
    pub fn from_data(mut data: BTreeMap<String, Value>) -> Self {
        if !data.contains_key("text/plain") {
            let kinds: Vec<_> = data.keys().cloned().collect();
            data.insert("text/plain".into(), json!(format!("<{}>", kinds.join(", "))));
        }
        MimeBundle { data }
    }

    /// All forms, by MIME type.
    pub fn data(&self) -> &BTreeMap<String, Value> {
        &self.data
    }

    /// The text form.
    pub fn plain(&self) -> &str {
        self.data.get("text/plain").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A response that its command has no view for: its JSON, rather than nothing.
pub fn fallback(response: &Response) -> MimeBundle {
    match response {
        Response::Done => MimeBundle::text("done"),
        other => MimeBundle::text(serde_json::to_string_pretty(other).unwrap_or_default()),
    }
}

/// A failure as plain lines: the message, then advice.
pub fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut lines = vec![];
    for (index, line) in text::clean(&failure.message).lines().enumerate() {
        lines.push(if index == 0 { format!("{}: {line}", failure.kind.ename()) } else { line.to_owned() });
    }
    for (index, line) in failure.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
        lines.push(if index == 0 { format!("help: {line}") } else { format!("      {line}") });
    }
    lines
}

#[cfg(test)]
mod tests;
