//! Text from guests on its way to a person: no terminal escapes, no control or bidirectional
//! characters that make a notebook show something else than was written.

/// `text` without escape sequences and control characters (line breaks become spaces), cut to
/// `limit` bytes.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if out.len() + c.len_utf8() > limit {
            out.push('…');
            break;
        }
        match c {
            '\u{1b}' | '\u{9b}' => skip_escape(c, &mut chars),
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// `text` as a person may print it: as [`clean`], but lines stay lines.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut left = limit;
    let mut out = String::new();
    for (i, line) in text.split('\n').enumerate() {
        if left == 0 {
            break;
        }
        if i > 0 {
            out.push('\n');
        }
        let line = clean(line, left);
        left = left.saturating_sub(line.len() + 1);
        out.push_str(&line);
    }
    out
}

/// Whether a name of a plugin, column or output is one: letters, digits, `-`, `_`, `.`, and not long.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Skips what follows an escape character: CSI up to its final byte, OSC and its kin up to BEL or ST.
fn skip_escape(first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let introducer = if first == '\u{9b}' { Some('[') } else { chars.next() };
    match introducer {
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
