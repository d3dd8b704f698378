//! Text as the reference implementations of metrics, which are in Python, see it.

/// What Python's `str.split()` and `str.strip()` take for white space.
pub fn is_white_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Python's `str.split()`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_white_space).filter(|word| !word.is_empty())
}

/// Python's `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_white_space)
}

/// The references of one row: one, or, with `multiple`, those of a JSON list of texts.
///
/// # Errors
/// A short code, for a row that is no such list, or an empty one.
pub fn references(reference: &str, multiple: bool) -> Result<Vec<String>, String> {
    if !multiple {
        return Ok(vec![reference.to_owned()]);
    }
    match crate::json::from_str::<Vec<String>>(reference) {
        Ok(references) if !references.is_empty() => Ok(references),
        Ok(_) => Err("no-reference".to_owned()),
        Err(error) => Err(format!("reference-list: {error}")),
    }
}

#[cfg(test)]
mod tests;
