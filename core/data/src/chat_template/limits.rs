//! What one rendering may use: steps are minijinja's fuel, bytes are counted here.
//!
//! minijinja bounds instructions, not memory: forty times `set x = x ~ x` is a terabyte. The source
//! is therefore rewritten ([`super::tags`]) to call [`check`] wherever a value may have grown, and
//! everything printed is charged, into `set` blocks and macros too.

use std::cell::Cell;
use std::io;

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Instructions one rendering may take. A conversation of 100 turns through the longest tool-use
/// templates takes some 10^5; a template that loops ends within seconds.
pub(super) const FUEL: u64 = 20_000_000;

/// Bytes one rendering may print, and one value may hold: a thousand times the longest prompt that
/// models take.
const MAX_BYTES: usize = 64 << 20;

/// Bytes of literal text that loops and macros may repeat.
const MAX_LITERAL_BYTES: usize = 256 << 20;

/// Items that a value may hold, at any depth.
const MAX_ITEMS: usize = 1 << 20;

thread_local! {
    static PRINTED: Cell<usize> = const { Cell::new(0) };
    static REPEATED: Cell<usize> = const { Cell::new(0) };
}

/// A rendering begins.
pub(super) fn begin() {
    PRINTED.set(0);
    REPEATED.set(0);
}

/// So many bytes are printed.
pub(super) fn print(n_bytes: usize) -> Result<(), Error> {
    PRINTED.set(PRINTED.get().saturating_add(n_bytes));
    if PRINTED.get() > MAX_BYTES { Err(too_large("what it prints")) } else { Ok(()) }
}

/// Values after an assignment or at the start of a macro; none at the start of a loop. Each call
/// may stand for all of the template's literal text once more.
pub(super) fn check(values: &Rest<Value>, literal_bytes: usize) -> Result<bool, Error> {
    REPEATED.set(REPEATED.get().saturating_add(literal_bytes));
    if REPEATED.get() > MAX_LITERAL_BYTES {
        return Err(too_large("the text that its loops repeat"));
    }
    let mut left = Left { bytes: MAX_BYTES, items: MAX_ITEMS };
    for value in values.iter() {
        left.take(value, 0)?;
    }
    Ok(false)
}

/// Refuses a text that would be longer than any prompt, before it is made.
pub(super) fn allow_text(n_bytes: usize) -> Result<(), Error> {
    if n_bytes > MAX_BYTES { Err(too_large("a text that it makes")) } else { Ok(()) }
}

struct Left {
    bytes: usize,
    items: usize,
}

impl Left {
    fn take(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        /// JSON itself nests no deeper (serde_json's limit is 128).
        const MAX_DEPTH: usize = 256;
        let n_items = match value.kind() {
            ValueKind::String => {
                let n_bytes = value.as_str().map_or(0, str::len);
                self.bytes = self.bytes.checked_sub(n_bytes).ok_or_else(|| too_large("a value"))?;
                0
            }
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => value.len().unwrap_or(0),
            _ => 0,
        };
        self.items = self.items.checked_sub(n_items).ok_or_else(|| too_large("a list"))?;
        if depth > MAX_DEPTH {
            return Err(too_large("the nesting of a list"));
        }
        match value.kind() {
            ValueKind::Seq => value.try_iter()?.try_for_each(|item| self.take(&item, depth + 1)),
            ValueKind::Map => value.try_iter()?.try_for_each(|key| self.take(&value.get_item(&key)?, depth + 1)),
            // An iterable may be one that can be read only once.
            _ => Ok(()),
        }
    }
}

fn too_large(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("the template was stopped: {what} is larger than any prompt"))
}

/// Text that may not grow past [`MAX_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Bounded {
    pub(super) bytes: Vec<u8>,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_BYTES {
            return Err(io::Error::other(format!("the rendered text is longer than {MAX_BYTES} bytes")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
