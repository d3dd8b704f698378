//! The shape of a statement: identifiers and literals removed, so that two questions over other
//! columns and other values share it.

use super::is_keyword;

/// `SELECT nm FROM cst WHERE town = 'Lisbon' LIMIT 5` → `SELECT _ FROM _ WHERE _ = ? LIMIT ?`.
/// Qualified names count as one identifier; function names that are not keywords stay.
#[must_use]
pub fn skeleton(sql: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_whitespace() || first == ';' {
            chars.next();
        } else if first == '\'' {
            skip_quoted(&mut chars, '\'');
            words.push("?".to_owned());
        } else if first == '"' || first == '`' || first == '[' {
            skip_quoted(&mut chars, if first == '[' { ']' } else { first });
            push_identifier(&mut words);
        } else if first.is_ascii_digit() {
            while chars.next_if(|next| next.is_ascii_alphanumeric() || *next == '.').is_some() {}
            words.push("?".to_owned());
        } else if first.is_alphabetic() || first == '_' {
            let mut word = String::new();
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            let function = chars.peek() == Some(&'(');
            if is_keyword(&word) || function {
                words.push(word.to_ascii_uppercase());
            } else {
                push_identifier(&mut words);
            }
        } else {
            chars.next();
            let double =
                matches!((first, chars.peek()), ('<' | '>' | '!', Some('=')) | ('<', Some('>')) | ('|', Some('|')));
            let mut mark = first.to_string();
            if double {
                mark.extend(chars.next());
            }
            words.push(mark);
        }
    }
    words.join(" ")
}

/// `a.b` is one identifier: the part after a dot replaces the dot.
fn push_identifier(words: &mut Vec<String>) {
    if words.last().is_some_and(|word| word == ".") {
        words.pop();
    } else {
        words.push("_".to_owned());
    }
}

fn skip_quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, close: char) {
    chars.next();
    while let Some(next) = chars.next() {
        if next == close && chars.next_if_eq(&close).is_none() {
            return;
        }
    }
}
