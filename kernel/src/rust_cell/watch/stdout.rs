//! The cell process's standard output, taken apart: what the person printed, what is to be shown,
//! and the lines by which evcxr's runtime talks to evcxr.
//!
//! A marker can follow text without a newline (`print!`), so it is sought at the end of a line, and
//! text is passed on before its newline comes unless it could be the start of a marker.

use super::super::wire::SYNC_LINE;

const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";
const PANIC: &str = "EVCXR_PANIC_NOTIFICATION";
const ERROR: &str = "EVCXR_ERROR_OCCURRED";
const BEGIN_CONTENT: &str = "EVCXR_BEGIN_CONTENT ";
const END_CONTENT: &str = "EVCXR_END_CONTENT";
const CHANGED_TYPE: &str = "EVCXR_VARIABLE_CHANGED_TYPE:";
const INPUT: &str = "EVCXR_INPUT_REQUEST";
/// All of them begin with this.
const PREFIX: &str = "EVCXR_";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Content {
        mime: String,
        content: String,
    },
    /// For evcxr, unchanged.
    Control(String),
    Panic,
    Error,
    Complete,
    Sync,
}

#[derive(Default)]
pub(super) struct Splitter {
    /// The line so far, without what was passed on.
    line: Vec<u8>,
    content: Option<(String, String)>,
}

impl Splitter {
    /// Take bytes in, give pieces out.
    pub(super) fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                self.line.clear();
                self.whole_line(line.trim_end_matches('\n'), pieces);
            }
        }
        if self.content.is_none() {
            self.pass_on(pieces);
        }
    }

    /// The stream has ended.
    pub(super) fn finish(&mut self, pieces: &mut Vec<Piece>) {
        if !self.line.is_empty() {
            pieces.push(Piece::Text(String::from_utf8_lossy(&self.line).into_owned()));
            self.line.clear();
        }
    }

    fn whole_line(&mut self, line: &str, pieces: &mut Vec<Piece>) {
        if let Some((mime, content)) = &mut self.content {
            if line == END_CONTENT {
                pieces.push(Piece::Content { mime: std::mem::take(mime), content: std::mem::take(content) });
                self.content = None;
                return;
            }
            // A panic in the middle of a display: the end never comes.
            if line != PANIC {
                if !content.is_empty() {
                    content.push('\n');
                }
                content.push_str(line);
                return;
            }
            self.content = None;
        }
        let Some((text, marker)) = split_marker(line) else {
            pieces.push(Piece::Text(format!("{line}\n")));
            return;
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        match marker {
            COMPLETE => pieces.push(Piece::Complete),
            PANIC => pieces.push(Piece::Panic),
            ERROR => pieces.push(Piece::Error),
            SYNC_LINE => pieces.push(Piece::Sync),
            _ => match marker.strip_prefix(BEGIN_CONTENT) {
                Some(mime) => self.content = Some((mime.trim().to_owned(), String::new())),
                None => pieces.push(Piece::Control(marker.to_owned())),
            },
        }
    }

    /// What cannot become a marker any more does not wait for its newline.
    fn pass_on(&mut self, pieces: &mut Vec<Piece>) {
        let keep_from = possible_marker_start(&self.line).min(utf8_boundary(&self.line));
        if keep_from > 0 {
            pieces.push(Piece::Text(String::from_utf8_lossy(&self.line[..keep_from]).into_owned()));
            self.line.drain(..keep_from);
        }
    }
}

/// The text before a marker and the marker, if the line has one.
fn split_marker(line: &str) -> Option<(&str, &str)> {
    let suffix = [COMPLETE, PANIC, ERROR, SYNC_LINE].into_iter().find(|marker| line.ends_with(marker));
    let position = match suffix {
        Some(marker) => line.len() - marker.len(),
        None => [BEGIN_CONTENT, CHANGED_TYPE, INPUT].into_iter().filter_map(|marker| line.find(marker)).min()?,
    };
    Some(line.split_at(position))
}

/// Where a marker begins or could be beginning; the length if nowhere.
fn possible_marker_start(line: &[u8]) -> usize {
    let prefix = PREFIX.as_bytes();
    (0..line.len())
        .find(|start| {
            let rest = &line[*start..];
            rest.starts_with(prefix) || prefix.starts_with(rest)
        })
        .unwrap_or(line.len())
}

/// The end of the last whole character.
fn utf8_boundary(line: &[u8]) -> usize {
    match std::str::from_utf8(line) {
        Ok(_) => line.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // Bytes that are no UTF-8 at all are replaced, not waited for.
        Err(_) => line.len(),
    }
}

#[cfg(test)]
mod tests;
