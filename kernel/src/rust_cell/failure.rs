//! How a Rust cell's failure reads: the way rustc says it, with the cell's own line numbers.

mod compile;
mod panic;

pub(super) use compile::compile_failure;
pub(super) use panic::panic_failure;

use super::RustFailure;
use super::processes::signal_name;

pub(super) const RED: &str = "\u{1b}[1;31m";
pub(super) const BLUE: &str = "\u{1b}[1;34m";
pub(super) const CYAN: &str = "\u{1b}[36m";
pub(super) const BOLD: &str = "\u{1b}[1m";
pub(super) const RESET: &str = "\u{1b}[0m";

/// How much of what a lost process said is told.
const LAST_WORDS_LINES: usize = 12;

/// A failure that is a message and perhaps advice.
pub(super) fn plain(ename: &str, evalue: impl Into<String>, hint: Option<&str>) -> RustFailure {
    let evalue = evalue.into();
    let mut traceback: Vec<String> = format!("{RED}{ename}{RESET}: {evalue}").lines().map(str::to_owned).collect();
    traceback.extend(hint.map(|hint| format!("{CYAN}help{RESET}: {hint}")));
    RustFailure { ename: ename.into(), evalue, traceback }
}

/// A `?` at the top of the cell; `text` is what it printed.
pub(super) fn error_failure(text: &str, interrupted: bool) -> RustFailure {
    let text = text.trim_end();
    let (message, hint) = match text.split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (text, None),
    };
    let message = if message.is_empty() { "the cell returned an error without a message" } else { message };
    plain(if interrupted { "Interrupted" } else { "Error" }, message, hint)
}

/// The cell process is gone.
pub(super) fn lost_failure(code: Option<i32>, signal: Option<i32>, last_words: &str, interrupted: bool) -> RustFailure {
    const LOST: &str = "variables are lost; functions, types and imports are kept";
    if interrupted {
        let what = "the cell did not stop when asked, so its process was ended: ";
        let hint = "a loop can look at luthier::interrupt::requested(), and stop in time";
        return plain("Interrupted", format!("{what}{LOST}"), Some(hint));
    }
    // evcxr's runtime turns the signals of bad memory into an abort, after a word about it.
    let signal = if last_words.contains("Segmentation fault.") { Some(11) } else { signal };
    let how = match (signal, code) {
        (Some(signal), _) => format!("was ended by {}", signal_name(signal)),
        (None, Some(code)) => format!("exited with status {code}"),
        (None, None) => "ended".to_owned(),
    };
    let mut failure = plain("CellProcessLost", format!("the cell's process {how}: {LOST}"), None);
    let words: Vec<&str> = last_words.lines().take_while(|line| !is_backtrace(line)).collect();
    failure
        .traceback
        .extend(words[words.len().saturating_sub(LAST_WORDS_LINES)..].iter().map(|line| (*line).to_owned()));
    failure
}

/// The first frame of a backtrace, which shows our own runtime and not the person's code.
fn is_backtrace(line: &str) -> bool {
    let line = line.trim_start();
    let number = line.split_once(": ").map_or("", |(number, _)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
