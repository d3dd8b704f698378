//! sacreBLEU's tokenizers: `13a` (that of WMT's mteval-v13a), `intl` (mteval-v14, by Unicode's
//! categories), `char` and `none`.

use luthier_plugin::text;

use crate::unicode::{Category, is};

/// Their names.
pub(crate) const NAMES: [&str; 4] = ["13a", "intl", "char", "none"];

/// How a text becomes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokenizer {
    Mteval13a,
    International,
    Characters,
    None,
}

impl Tokenizer {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "intl" => Tokenizer::International,
            "char" => Tokenizer::Characters,
            "none" => Tokenizer::None,
            _ => Tokenizer::Mteval13a,
        }
    }

    pub(crate) fn tokens(self, line: &str) -> Vec<String> {
        match self {
            Tokenizer::Mteval13a => split(&mteval_13a(line)),
            Tokenizer::International => split(&international(line)),
            Tokenizer::Characters => line.chars().filter(|c| !text::is_white_space(*c)).map(String::from).collect(),
            Tokenizer::None => split(line),
        }
    }
}

fn split(line: &str) -> Vec<String> {
    text::words(line).map(str::to_owned).collect()
}

fn mteval_13a(line: &str) -> String {
    let mut line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            line = line.replace(entity, character);
        }
    }
    let line = format!(" {line} ");
    let mut spaced = String::with_capacity(2 * line.len());
    for c in line.chars() {
        match is_separate(c) {
            true => spaced.extend([' ', c, ' ']),
            false => spaced.push(c),
        }
    }
    let is_stop = |c: char| c == '.' || c == ',';
    // A period or comma parts from what is no digit before it, then from what is no digit after it;
    // a dash from the digit before it.
    let spaced = pairs(&spaced, |a, b| !a.is_ascii_digit() && is_stop(b), |a, b| format!("{a} {b} "));
    let spaced = pairs(&spaced, |a, b| is_stop(a) && !b.is_ascii_digit(), |a, b| format!(" {a} {b}"));
    pairs(&spaced, |a, b| a.is_ascii_digit() && b == '-', |a, b| format!("{a} {b} "))
}

/// ASCII symbols and punctuation but for the apostrophe, comma, dash and period.
fn is_separate(c: char) -> bool {
    matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

fn international(line: &str) -> String {
    let line = pairs(line, |a, b| !is(a, Category::Number) && is(b, Category::Punctuation), |a, b| format!("{a} {b} "));
    let line =
        pairs(&line, |a, b| is(a, Category::Punctuation) && !is(b, Category::Number), |a, b| format!(" {a} {b}"));
    let mut spaced = String::with_capacity(2 * line.len());
    for c in line.chars() {
        match is(c, Category::Symbol) {
            true => spaced.extend([' ', c, ' ']),
            false => spaced.push(c),
        }
    }
    spaced
}

/// `text` with each pair of neighbors that `matches` written as `write` does; pairs do not overlap,
/// and the leftmost comes first.
fn pairs(text: &str, matches: impl Fn(char, char) -> bool, write: impl Fn(char, char) -> String) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(2 * text.len());
    let mut i = 0;
    while i < characters.len() {
        match characters.get(i + 1) {
            Some(&next) if matches(characters[i], next) => {
                out.push_str(&write(characters[i], next));
                i += 2;
            }
            _ => {
                out.push(characters[i]);
                i += 1;
            }
        }
    }
    out
}
