//! Where a command's output goes: a notebook, or a terminal.

use crate::display::MimeBundle;

/// Which text stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Shows output. Displays with an id can be replaced in place.
pub trait Screen {
    /// Text on a stream.
    fn text(&mut self, stream: Stream, text: &str);
    /// A display; with an id it can be updated.
    fn show(&mut self, bundle: &MimeBundle, display_id: Option<&str>);
    /// Replace the display with this id.
    fn update(&mut self, bundle: &MimeBundle, display_id: &str);
    /// Remove what was shown; with `wait`, when the next output comes.
    fn clear(&mut self, wait: bool);
    /// Ask the person for a line and wait for it. `Err` says why there is none.
    fn input(&mut self, prompt: &str, password: bool) -> Result<String, String>;
}
