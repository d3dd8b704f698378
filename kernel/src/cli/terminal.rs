//! Output of the command line: results on standard output, progress on standard error.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::{
    display::{MimeBundle, text},
    screen::{Screen, Stream},
};

/// Where progress is not drawn in place (a log file), a line is written this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Print a result, with a line break after it. A reader that has gone (`| head`) is not an error.
#[allow(clippy::print_stdout, reason = "this is the command line's output module")]
pub(super) fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Draws displays that are updated in place as one line of standard error.
pub(super) struct Terminal {
    in_place: bool,
    drawn: bool,
    logged_at: Option<Instant>,
    line_id: Option<String>,
    pending: Option<String>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let in_place = std::io::stderr().is_terminal();
        Terminal { in_place, drawn: false, logged_at: None, line_id: None, pending: None }
    }

    /// Leave the last state of the line where it is, and go below it.
    pub(super) fn close(&mut self) {
        if self.drawn {
            eprintln!();
            self.drawn = false;
        }
        if let Some(line) = self.pending.take() {
            eprintln!("{line}");
        }
    }

    fn line(&mut self, bundle: &MimeBundle) {
        let line = text::one_line(bundle.plain());
        if self.in_place {
            // Return, erase the line, write. Cut, because a wrapped line could not be erased.
            eprint!("\r\u{1b}[2K{}", text::cut(&line, 110));
            let _ = std::io::stderr().flush();
            self.drawn = true;
        } else if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            self.logged_at = Some(Instant::now());
            self.pending = None;
            eprintln!("{line}");
        } else {
            self.pending = Some(line);
        }
    }
}

impl Screen for Terminal {
    fn text(&mut self, _stream: Stream, text: &str) {
        if self.drawn {
            eprint!("\r\u{1b}[2K");
            self.drawn = false;
        }
        eprint!("{text}");
    }

    fn show(&mut self, bundle: &MimeBundle, display_id: Option<&str>) {
        // The first display with an id is the progress line; a chart does not fit into a line.
        if let (Some(id), None) = (display_id, &self.line_id) {
            self.line_id = Some(id.to_owned());
            self.line(bundle);
        }
    }

    fn update(&mut self, bundle: &MimeBundle, display_id: &str) {
        if self.line_id.as_deref() == Some(display_id) {
            self.line(bundle);
        }
    }

    fn clear(&mut self, _wait: bool) {}

    fn input(&mut self, prompt: &str, _password: bool) -> Result<String, String> {
        self.close();
        eprint!("{prompt}");
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(0) => Err("standard input has ended".into()),
            Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}
