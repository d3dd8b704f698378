//! Compile errors, all of one cell in one failure.

use evcxr::CompilationError;

use super::super::RustFailure;
use super::{BLUE, BOLD, CYAN, RED, RESET};

/// More errors are counted, not shown.
const MAX_ERRORS: usize = 12;

/// A place in the cell and what is said about it. Lines and columns count from 1, columns in
/// characters; `end_column` is exclusive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_column: usize,
    pub(super) primary: bool,
    pub(super) label: String,
}

/// One error, free of evcxr's types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Diagnostic {
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) marks: Vec<Mark>,
    /// `help` or `note`, and the text.
    pub(super) notes: Vec<(&'static str, String)>,
}

/// All errors of a cell.
pub(in super::super) fn compile_failure(errors: &[CompilationError], cell: &str) -> RustFailure {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    // Warnings come along when a build fails; they are not why it failed.
    for error in errors.iter().filter(|error| error.level() != "warning") {
        let diagnostic = diagnostic(error, cell);
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
    failure_of(&diagnostics, cell)
}

pub(super) fn failure_of(diagnostics: &[Diagnostic], cell: &str) -> RustFailure {
    let mut traceback = Vec::new();
    for diagnostic in diagnostics.iter().take(MAX_ERRORS) {
        if !traceback.is_empty() {
            traceback.push(String::new());
        }
        traceback.extend(rendered(diagnostic, cell));
    }
    if diagnostics.len() > MAX_ERRORS {
        traceback.push(format!("and {} more errors", diagnostics.len() - MAX_ERRORS));
    }
    let first = diagnostics.first().map_or_else(|| "the cell does not compile".to_owned(), title);
    let evalue = match diagnostics.len() {
        0 | 1 => first,
        n => format!("{first} (and {} more)", n - 1),
    };
    RustFailure { ename: "CompileError".into(), evalue, traceback }
}

fn title(diagnostic: &Diagnostic) -> String {
    match &diagnostic.code {
        Some(code) => format!("error[{code}]: {}", diagnostic.message),
        None => format!("error: {}", diagnostic.message),
    }
}

fn diagnostic(error: &CompilationError, cell: &str) -> Diagnostic {
    let message = error.message();
    let mut marks: Vec<Mark> = Vec::new();
    for spanned in error.spanned_messages() {
        let Some(span) = &spanned.span else { continue };
        let line_length = cell.lines().nth(span.start_line - 1).map_or(0, |line| line.chars().count());
        let end_column = if span.end_line == span.start_line { span.end_column } else { line_length + 1 };
        // evcxr puts the title where rustc has no label.
        let label = if spanned.label.ends_with(&message) { String::new() } else { spanned.label.clone() };
        let mark = Mark {
            line: span.start_line,
            column: span.start_column,
            end_column: end_column.max(span.start_column + 1),
            primary: spanned.is_primary,
            label,
        };
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    let children = error.json["children"].as_array().map_or(&[][..], Vec::as_slice);
    let mut notes: Vec<(&'static str, String)> = children.iter().filter_map(note).collect();
    notes.extend(error.evcxr_extra_hint().map(|hint| ("note", hint.replace("Evcxr", "a cell"))));
    Diagnostic { code: error.code().map(str::to_owned), message, marks, notes }
}

/// A help, or a note that points nowhere (one that does points at code the person may not see).
fn note(child: &serde_json::Value) -> Option<(&'static str, String)> {
    let message = child["message"].as_str()?;
    let spans = child["spans"].as_array().map_or(&[][..], Vec::as_slice);
    match (child["level"].as_str()?, spans) {
        ("help", [span]) => match span["suggested_replacement"].as_str().map(str::trim) {
            Some(replacement) if !replacement.is_empty() => Some(("help", format!("{message}: `{replacement}`"))),
            _ => Some(("help", message.to_owned())),
        },
        // A replacement in several places makes no sense in one.
        ("help", _) => Some(("help", message.to_owned())),
        ("note", []) => Some(("note", message.to_owned())),
        _ => None,
    }
}

fn rendered(diagnostic: &Diagnostic, cell: &str) -> Vec<String> {
    let head = match &diagnostic.code {
        Some(code) => format!("{RED}error[{code}]{RESET}{BOLD}: {}{RESET}", diagnostic.message),
        None => format!("{RED}error{RESET}{BOLD}: {}{RESET}", diagnostic.message),
    };
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    let mut marks = diagnostic.marks.clone();
    marks.sort();
    let width = marks.iter().map(|mark| mark.line.to_string().len()).max().unwrap_or(1);
    let gutter = format!("{BLUE}{:width$} |{RESET}", "");
    if let Some(place) = marks.iter().find(|mark| mark.primary).or(marks.first()) {
        lines.push(format!("{BLUE}{:width$}-->{RESET} cell:{}:{}", "", place.line, place.column));
        lines.push(gutter.clone());
    }
    let mut shown = 0;
    for mark in &marks {
        if mark.line != shown {
            if shown != 0 && mark.line > shown + 1 {
                lines.push(format!("{BLUE}...{RESET}"));
            }
            let source = cell.lines().nth(mark.line - 1).unwrap_or_default().replace('\t', " ");
            lines.push(format!("{BLUE}{:>width$} |{RESET} {source}", mark.line));
            shown = mark.line;
        }
        lines.push(format!("{gutter} {}", underline(mark)));
    }
    for (kind, text) in &diagnostic.notes {
        let mut text = text.lines();
        lines.push(format!("{:width$} {BLUE}={RESET} {CYAN}{kind}{RESET}: {}", "", text.next().unwrap_or_default()));
        lines.extend(text.map(|line| format!("{:width$}   {line}", "")));
    }
    lines
}

fn underline(mark: &Mark) -> String {
    let (color, character) = if mark.primary { (RED, "^") } else { (BLUE, "-") };
    let indent = " ".repeat(mark.column.saturating_sub(1));
    let marks = character.repeat(mark.end_column.saturating_sub(mark.column).max(1));
    let label = if mark.label.is_empty() { String::new() } else { format!(" {}", mark.label.replace('\n', " ")) };
    format!("{indent}{color}{marks}{label}{RESET}")
}
