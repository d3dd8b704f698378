//! Whether a query fixes the order of its rows.

/// True if `ORDER BY` stands outside of parentheses, strings, quoted names and comments: then it is
/// the query's own and not a subquery's, a window's or a common table expression's.
pub fn has_top_level_order_by(sql: &str) -> bool {
    let mut depth = 0usize;
    let mut previous_is_order = false;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = skip_quoted_or_comment(rest, c) {
            rest = after;
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if depth == 0 && previous_is_order && word.eq_ignore_ascii_case("by") {
                return true;
            }
            previous_is_order = word.eq_ignore_ascii_case("order");
            rest = after;
            continue;
        }
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous_is_order &= c.is_whitespace();
        rest = &rest[c.len_utf8()..];
    }
    false
}

/// The text after the string, quoted name or comment that starts here, if one does.
fn skip_quoted_or_comment(sql: &str, first: char) -> Option<&str> {
    let body = sql.get(first.len_utf8()..)?;
    let after = |end: Option<usize>, n: usize| end.and_then(|end| body.get(end + n..)).unwrap_or_default();
    match first {
        // A doubled quote inside reads as two adjacent strings, which comes to the same.
        '\'' | '"' | '`' => Some(after(body.find(first), 1)),
        '[' => Some(after(body.find(']'), 1)),
        '-' if body.starts_with('-') => Some(after(body.find('\n'), 1)),
        '/' if body.starts_with('*') => Some(after(body.get(1..).and_then(|b| b.find("*/")).map(|end| end + 1), 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
