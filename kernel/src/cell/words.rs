//! Splits a command line into words, with quotes as in a shell.

use std::ops::Range;

use super::Diagnostic;

/// One word and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its text, quotes removed.
    pub text: String,
    /// Its bytes in the cell, quotes included.
    pub span: Range<usize>,
    /// Some of it stood in quotes, so it is never a flag.
    pub quoted: bool,
}

/// Split `text`, which starts at byte `offset` of the cell. `"…"` and `'…'` keep blanks together;
/// in double quotes a backslash escapes `"`, `\` and writes `\n` and `\t`.
pub fn split(text: &str, offset: usize) -> Result<Vec<Word>, Diagnostic> {
    let mut words = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some(&(start, character)) = characters.peek() {
        if character.is_whitespace() {
            characters.next();
            continue;
        }
        let mut word = Word { text: String::new(), span: offset + start..offset + text.len(), quoted: false };
        while let Some(&(at, character)) = characters.peek() {
            if character.is_whitespace() {
                word.span.end = offset + at;
                break;
            }
            characters.next();
            match character {
                // A quote in the middle of a word is an apostrophe: `%ask pico what's new`.
                '"' | '\'' if at == start || word.text.ends_with('=') => {
                    word.quoted = at == start;
                    quoted(&mut characters, character, &mut word.text)
                        .ok_or_else(|| unclosed(character, offset + at))?;
                }
                other => word.text.push(other),
            }
        }
        words.push(word);
    }
    Ok(words)
}

fn quoted(characters: &mut impl Iterator<Item = (usize, char)>, quote: char, text: &mut String) -> Option<()> {
    loop {
        let (_, character) = characters.next()?;
        match character {
            c if c == quote => return Some(()),
            '\\' if quote == '"' => match characters.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                c @ ('"' | '\\') => text.push(c),
                c => text.extend(['\\', c]),
            },
            c => text.push(c),
        }
    }
}

fn unclosed(quote: char, at: usize) -> Diagnostic {
    Diagnostic::new("SyntaxError", format!("the quote {quote} is never closed")).at(at..at + 1)
}
