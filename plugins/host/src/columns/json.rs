//! JSON from guests: size and depth first, then the parser.

use serde_json::Value;

use crate::limits::Limits;

/// The document, or what is wrong with it.
pub(crate) fn parse(document: &str, limits: &Limits) -> Result<Value, String> {
    if document.len() > limits.json_bytes {
        return Err(format!("{} bytes (limit {})", document.len(), limits.json_bytes));
    }
    let depth = depth(document);
    if depth > limits.json_depth {
        return Err(format!("{depth} levels (limit {})", limits.json_depth));
    }
    serde_json::from_str(document).map_err(|error| error.to_string())
}

/// Deepest nesting of brackets outside of strings.
fn depth(document: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in document.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
