//! HTML that is safe to show: everything from outside is escaped, and characters that reorder or
//! hide text are made visible.

use super::text::clean;

/// Escape text for an element's content or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in clean(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Small gray text, readable on light and dark.
pub fn faint(text: &str) -> String {
    format!("<div style=\"opacity:.7;font-size:.9em\">{}</div>", escape(text))
}

/// A heading above a table.
pub fn title(text: &str) -> String {
    format!("<div style=\"margin:.4em 0 .2em\"><b>{}</b></div>", escape(text))
}

/// Preformatted text that wraps.
pub fn pre(text: &str) -> String {
    format!("<pre style=\"white-space:pre-wrap;margin:.2em 0\">{}</pre>", escape(text))
}

/// A line that calls for attention.
pub fn warning(text: &str) -> String {
    format!(
        "<div style=\"border-left:3px solid rgba(217,119,6,.9);padding-left:.6em;margin:.3em 0\">{}</div>",
        escape(text)
    )
}
