//! A panic in a cell, traced back to the person's own line.

use luthier::cell::Panic;

use super::super::RustFailure;
use super::{BLUE, RED, RESET};

/// The file that evcxr compiles, as rustc names it in a panic's location.
const GENERATED: &str = "src/lib.rs";

/// `generated` is the source that evcxr made of the cell; `text` is what the cell printed as an error
/// where no hook reported the panic.
pub(in super::super) fn panic_failure(panic: Option<&Panic>, text: &str, cell: &str, generated: &str) -> RustFailure {
    let Some(panic) = panic else {
        let message = if text.trim().is_empty() { "the cell panicked" } else { text.trim() };
        return super::plain("Panic", message, None);
    };
    let mut traceback: Vec<String> =
        format!("{RED}Panic{RESET}: {}", panic.message).lines().map(str::to_owned).collect();
    traceback.extend(place(panic, cell, generated));
    traceback.extend(text.lines().map(str::to_owned));
    RustFailure { ename: "Panic".into(), evalue: panic.message.clone(), traceback }
}

fn place(panic: &Panic, cell: &str, generated: &str) -> Vec<String> {
    if panic.file != GENERATED {
        return vec![format!("{BLUE} -->{RESET} {}:{}:{}", panic.file, panic.line, panic.column)];
    }
    let Some((line, exact)) = line_in_cell(panic.line as usize, cell, generated) else {
        // A function from an earlier cell: its text says more than its number in generated code.
        let source = generated.lines().nth((panic.line as usize).saturating_sub(1)).unwrap_or_default().trim();
        return vec![format!("{BLUE} -->{RESET} an earlier cell: {source}")];
    };
    let source = cell.lines().nth(line - 1).unwrap_or_default();
    let width = line.to_string().len();
    let column = if exact { format!(":{}", panic.column) } else { String::new() };
    let mut lines =
        vec![format!("{BLUE}{:width$}-->{RESET} cell:{line}{column}", ""), format!("{BLUE}{line} |{RESET} {source}")];
    if exact {
        let indent = " ".repeat((panic.column as usize).saturating_sub(1));
        lines.push(format!("{BLUE}{:width$} |{RESET} {indent}{RED}^{RESET}", ""));
    }
    lines
}

/// The cell's line that became this line of the generated source, and whether they are equal. evcxr
/// keeps the person's lines as they are, in order, except that the last expression gets wrapped; the
/// same text twice is told apart by counting.
fn line_in_cell(line: usize, cell: &str, generated: &str) -> Option<(usize, bool)> {
    let text = generated.lines().nth(line.checked_sub(1)?)?;
    let equal = |candidate: &str| candidate.trim_end() == text.trim_end();
    let nth = generated.lines().take(line - 1).filter(|candidate| equal(candidate)).count();
    let lines: Vec<usize> = (1..).zip(cell.lines()).filter(|(_, line)| equal(line)).map(|(number, _)| number).collect();
    if let Some(number) = lines.get(nth).or(lines.last()) {
        return Some((*number, true));
    }
    let wrapped = |line: &str| !line.trim().is_empty() && text.contains(line.trim().trim_end_matches(';'));
    let found = (1..).zip(cell.lines()).filter(|(_, line)| wrapped(line)).max_by_key(|(_, line)| line.trim().len());
    found.map(|(number, _)| (number, false))
}
