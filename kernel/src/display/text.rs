//! Text for consoles: widths, cuts, and the removal of what would take over a terminal.

/// Remove escape sequences and control characters, and make characters that reorder text visible.
/// Text of models and plugins passes through here before a person sees it.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\n' | '\t' => clean.push(character),
            '\r' => {
                // A lone carriage return would overwrite the line in a terminal.
                if characters.peek() != Some(&'\n') {
                    clean.push('\n');
                }
            }
            c if is_reordering(c) => clean.push_str(&format!("\\u{{{:04x}}}", c as u32)),
            c if c.is_control() => clean.push('\u{fffd}'),
            c => clean.push(c),
        }
    }
    clean
}

/// A path as the notebook's reader can use it: relative to the working directory if it lies below.
/// Where somebody's home is has no place in a shared notebook.
pub fn short_path(path: &str) -> String {
    let dir = std::env::current_dir().unwrap_or_default();
    // An empty prefix would match every path.
    match std::path::Path::new(path).strip_prefix(&dir) {
        Ok(below) if dir.is_absolute() => below.display().to_string(),
        _ => path.to_owned(),
    }
}

/// Bidirectional controls (UAX #9) and invisible separators that hide text.
fn is_reordering(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Skip what follows ESC: a CSI sequence to its final byte, an OSC to BEL or ST, else one character.
fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.next() {
        Some('[') => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']') => {
            while let Some(c) = characters.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    characters.next();
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Columns that text takes in a terminal: wide East Asian characters and emoji take two.
pub fn width(text: &str) -> usize {
    text.chars().map(character_width).sum()
}

fn character_width(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// At most `limit` columns, with an ellipsis where something was cut.
pub fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character_width(character);
        if used > limit {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// One line: line breaks become `⏎`.
pub fn one_line(text: &str) -> String {
    clean(text).trim_end().replace('\n', "⏎").replace('\t', " ")
}

/// Break lines at blanks so that none is wider than `limit`; each starts with `indent`.
pub fn wrap(text: &str, limit: usize, indent: &str) -> String {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) + width(indent) > limit {
            lines.push(format!("{indent}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{indent}{line}"));
    }
    lines.join("\n")
}
