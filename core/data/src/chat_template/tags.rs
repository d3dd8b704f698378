//! A template's source taken apart at its tags, and written again for minijinja.
//!
//! Two things are added, without changing a character of what is rendered:
//!
//! * `{% generation %}…{% endgeneration %}` (transformers' marks around what an assistant says)
//!   becomes a `call` of a function that marks the text it is given;
//! * after every assignment, at the start of every loop and macro, a look at the sizes of values, so
//!   that a template which doubles a text forty times ends before memory does ([`super::limits`]).
//!
//! The whitespace signs of a tag (`-`, `+`) and the line break that `trim_blocks` takes stay where
//! they were: what is added stands between the tag and its own closing sign.

/// Called with the text between the generation tags.
pub(super) const GENERATION: &str = "luthier_generation";

/// Called with values whose size may have grown.
pub(super) const CHECK: &str = "luthier_check";

/// One piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// Text, a comment, `{{ … }}`, or what stands between `raw` and `endraw`.
    Other(&'a str),
    /// `{%open inner close%}`.
    Block { open: &'a str, inner: &'a str, close: &'a str },
}

/// The source that minijinja is given.
pub(super) fn rewrite(source: &str) -> String {
    let mut out = String::with_capacity(source.len() * 2);
    let mut captured: Vec<Option<&str>> = Vec::new();
    for piece in pieces(source) {
        let Piece::Block { open, inner, close } = piece else {
            if let Piece::Other(text) = piece {
                out.push_str(text);
            }
            continue;
        };
        let (word, rest) = first_word(inner);
        let guarded = match word {
            "generation" => {
                out.push_str(&format!("{{%{open} call {GENERATION}() {close}%}}"));
                continue;
            }
            "endgeneration" => {
                out.push_str(&format!("{{%{open} endcall {close}%}}"));
                continue;
            }
            "for" => Some(String::new()),
            "macro" => Some(parameters(rest)),
            "with" => Some(assigned(rest)),
            "set" => match target(rest) {
                Some(target) => Some(target.to_string()),
                None => {
                    // A block: its value is known at `endset`; a filter may stand behind the name.
                    captured.push(rest.split('|').next().map(str::trim));
                    None
                }
            },
            "endset" => captured.pop().flatten().map(str::to_string),
            _ => None,
        };
        match guarded {
            Some(values) => {
                out.push_str(&format!("{{%{open}{inner}-%}}{{%- if {CHECK}({values}) -%}}{{%- endif {close}%}}"));
            }
            None => out.push_str(&format!("{{%{open}{inner}{close}%}}")),
        }
    }
    out
}

/// Does the source mark what an assistant says.
pub(super) fn marks_generation(source: &str) -> bool {
    pieces(source)
        .iter()
        .any(|piece| matches!(piece, Piece::Block { inner, .. } if first_word(inner).0 == "generation"))
}

/// Bytes of text outside of tags: what a loop may print without an expression.
pub(super) fn literal_bytes(source: &str) -> usize {
    let literal = |piece: Piece<'_>| match piece {
        Piece::Other(text) if !text.starts_with("{{") && !text.starts_with("{#") => text.len(),
        _ => 0,
    };
    pieces(source).into_iter().map(literal).sum()
}

/// Takes a source apart. What is not closed is left as it is, for the parser to complain about.
fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(start) = next_opening(rest) {
        if start > 0 {
            pieces.push(Piece::Other(&rest[..start]));
        }
        let tag = &rest[start..];
        let Some(len) = tag_len(tag) else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(len);
        rest = after;
        if !tag.starts_with("{%") {
            pieces.push(Piece::Other(tag));
            continue;
        }
        let (open, inner, close) = split_signs(&tag[2..len - 2]);
        pieces.push(Piece::Block { open, inner, close });
        if first_word(inner).0 == "raw" {
            let len = raw_len(rest).unwrap_or(rest.len());
            let (raw, after) = rest.split_at(len);
            pieces.push(Piece::Other(raw));
            rest = after;
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Other(rest));
    }
    pieces
}

fn next_opening(text: &str) -> Option<usize> {
    ["{%", "{{", "{#"].iter().filter_map(|opening| text.find(opening)).min()
}

/// Length of the tag at the start of `text`, its closing sign included.
fn tag_len(text: &str) -> Option<usize> {
    if text.starts_with("{#") {
        return text.find("#}").map(|end| end + 2);
    }
    let closing = if text.starts_with("{%") { "%}" } else { "}}" };
    let mut depth = 0usize;
    let mut quote = None;
    let mut symbols = text[2..].char_indices();
    while let Some((at, symbol)) = symbols.next() {
        match (quote, symbol) {
            (Some(_), '\\') => drop(symbols.next()),
            (Some(open), symbol) if symbol == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(symbol),
            // Of `{{ {"a": {}} }}` the inner braces close first.
            (None, _) if depth == 0 && text[2 + at..].starts_with(closing) => return Some(2 + at + 2),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

/// Length of what stands before `{% endraw %}`.
fn raw_len(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(start) = text[from..].find("{%").map(|at| from + at) {
        let end = start + text[start..].find("%}")?;
        if split_signs(&text[start + 2..end]).1.trim() == "endraw" {
            return Some(start);
        }
        from = start + 2;
    }
    None
}

/// The whitespace signs of a tag: `- word +` is `("-", " word ", "+")`.
fn split_signs(inner: &str) -> (&str, &str, &str) {
    const SIGNS: [char; 2] = ['-', '+'];
    let (open, word) = if inner.starts_with(SIGNS) { inner.split_at(1) } else { ("", inner) };
    let (word, close) = if word.ends_with(SIGNS) { word.split_at(word.len() - 1) } else { (word, "") };
    (open, word, close)
}

fn first_word(inner: &str) -> (&str, &str) {
    let inner = inner.trim();
    let end = inner.find(|symbol: char| !symbol.is_alphanumeric() && symbol != '_').unwrap_or(inner.len());
    inner.split_at(end)
}

/// What `set` assigns to, `None` for a block. `x = 1`, `ns.x = 1`, `a, b = 1, 2`.
fn target(rest: &str) -> Option<&str> {
    let at = assignment(rest)?;
    Some(rest[..at].trim())
}

/// Where the first `=` outside of quotes and brackets stands.
fn assignment(text: &str) -> Option<usize> {
    let mut depth = 0i32;
    let mut quote = None;
    for (at, symbol) in text.char_indices() {
        match (quote, symbol) {
            (Some(open), symbol) if symbol == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(symbol),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, '=') if depth == 0 => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// Names of a macro's parameters: `f(a, b=1)` is `a, b`.
fn parameters(rest: &str) -> String {
    let inner = rest.find('(').zip(rest.rfind(')')).filter(|(open, close)| open < close);
    inner.map_or(String::new(), |(open, close)| assigned(&rest[open + 1..close]))
}

/// Names before `=` or alone, of a list with commas: `a, b=f(1, 2)` is `a, b`.
fn assigned(list: &str) -> String {
    let mut names = Vec::new();
    let (mut depth, mut quote, mut start) = (0i32, None, 0);
    for (at, symbol) in list.char_indices().chain([(list.len(), ',')]) {
        match (quote, symbol) {
            (Some(open), symbol) if symbol == open => quote = None,
            (Some(_), _) if at < list.len() => {}
            (None, '\'' | '"') => quote = Some(symbol),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (_, ',') if depth <= 0 => {
                names.push(list[start..at].split('=').next().unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let is_name =
        |name: &&str| !name.is_empty() && name.chars().all(|symbol| symbol.is_alphanumeric() || symbol == '_');
    names.into_iter().filter(is_name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
