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
}
