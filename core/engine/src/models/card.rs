//! One line about a model out of its card.

use std::path::Path;

/// Longest summary, in characters.
const MAX_CHARS: usize = 300;

/// The first paragraph of `README.md` that is no heading, front matter, table or markup; empty if
/// there is none.
pub(super) fn summary(dir: &Path) -> String {
    let Ok(text) = crate::files::read_text(&dir.join("README.md"), 1 << 20) else { return String::new() };
    let body = match text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) {
        Some((_front_matter, body)) => body,
        None => &text,
    };
    let is_prose = |paragraph: &&str| {
        let first = paragraph.trim_start().chars().next();
        first.is_some_and(|c| !matches!(c, '#' | '<' | '|' | '!' | '[' | '`' | '-'))
    };
    let paragraph = body.split("\n\n").find(is_prose).unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
