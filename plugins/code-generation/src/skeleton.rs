//! The shape of a Python function: its body without the names, numbers and texts that it is about.

#[cfg(test)]
mod tests;

/// Words that are part of a shape: keywords, and the functions and methods that the grammar composes.
const SHAPE: [&str; 39] = [
    "return",
    "for",
    "in",
    "if",
    "else",
    "elif",
    "while",
    "and",
    "or",
    "not",
    "is",
    "None",
    "True",
    "False",
    "lambda",
    "def",
    "sum",
    "len",
    "max",
    "min",
    "sorted",
    "set",
    "any",
    "all",
    "next",
    "abs",
    "range",
    "enumerate",
    "zip",
    "reverse",
    "default",
    "key",
    "get",
    "append",
    "upper",
    "lower",
    "startswith",
    "endswith",
    "join",
];

/// `return sum ( _ * _ for _ in _ if _ % ? == ? )`. Signature and docstring are left out; a text is `""`, a number `?`.
pub fn skeleton(source: &str) -> String {
    tokens(body(source)).join(" ")
}

/// What follows the signature and the docstring of the last function.
fn body(source: &str) -> &str {
    let start = source.rfind("def ").unwrap_or(0);
    let rest = source[start..].split_once(":\n").map_or(source, |(_, rest)| rest);
    let trimmed = rest.trim_start();
    for quotes in ["\"\"\"", "'''"] {
        if let Some(inside) = trimmed.strip_prefix(quotes) {
            return inside.split_once(quotes).map_or("", |(_, after)| after);
        }
    }
    rest
}

fn tokens(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            _ if first.is_alphabetic() || first == '_' => word_end(rest),
            _ if first.is_ascii_digit() => rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()),
            '=' | '<' | '>' | '!' | '*' | '/' | '+' | '-' if rest[1..].starts_with(['=', '*', '/']) => 2,
            _ => first.len_utf8(),
        };
        let token = &rest[..end];
        found.push(match first {
            '"' | '\'' => "\"\"",
            _ if first.is_ascii_digit() => "?",
            _ if first.is_alphabetic() || first == '_' => {
                if SHAPE.contains(&token) {
                    token
                } else {
                    "_"
                }
            }
            _ => token,
        });
        rest = rest[end..].trim_start();
    }
    found
}

fn word_end(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}
