//! One finding about a cell's text, and how people read it.

use std::ops::Range;

/// Something wrong with the text of a cell or recipe: what, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Jupyter's `ename`.
    pub ename: String,
    /// The thing, the expectation, the finding.
    pub message: String,
    /// Advice.
    pub hint: Option<String>,
    /// Bytes of the text that are to blame.
    pub span: Option<Range<usize>>,
}

impl Diagnostic {
    /// A finding without a place.
    pub fn new(ename: &str, message: impl Into<String>) -> Self {
        Diagnostic { ename: ename.to_owned(), message: message.into(), hint: None, span: None }
    }

    /// The same finding at these bytes.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Plain lines: message, place with the quoted line and a caret, advice. `source` is what the
    /// text is called: `cell`, or a recipe's path.
    pub fn lines(&self, text: &str, source: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.message.lines().map(str::to_owned).collect();
        if let Some(first) = lines.first_mut() {
            *first = format!("{}: {first}", self.ename);
        }
        if let Some(span) = self.span.as_ref().filter(|span| span.start <= text.len() && !text.is_empty()) {
            lines.extend(Excerpt::of(text, span).lines(source));
        }
        for (index, line) in self.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
            lines.push(if index == 0 { format!("help: {line}") } else { format!("      {line}") });
        }
        lines
    }
}

/// A line of the text with the offending part marked. Columns count characters, from 1.
struct Excerpt<'a> {
    line_number: usize,
    column: usize,
    line: &'a str,
    width: usize,
}

impl<'a> Excerpt<'a> {
    fn of(text: &'a str, span: &Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let marked = &text[start..end.min(line_end).max(start)];
        Excerpt {
            line_number: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            line: text[line_start..line_end].trim_end_matches('\r'),
            width: marked.trim_end().chars().count().max(1),
        }
    }

    fn lines(&self, source: &str) -> [String; 3] {
        let number = self.line_number.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs keep their width in both lines, so that the caret stands under its character.
        let indent: String =
            self.line.chars().take(self.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        [
            format!("{gutter}--> {source}, line {number}, column {}", self.column),
            format!("{number} | {}", self.line),
            format!("{gutter} | {indent}{}", "^".repeat(self.width)),
        ]
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
