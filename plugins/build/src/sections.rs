//! What travels inside a component besides code: custom sections, which WebAssembly ignores.
//!
//! | section | holds |
//! |---|---|
//! | `luthier:about` | JSON: `license`, `authors`, `homepage`, `source` |
//! | `luthier:golden` | golden cases, one JSON document per line |
//! | `luthier:readme` | Markdown |
//! | `luthier:signature` | the last section: JSON with `key` and `signature` (Ed25519, hexadecimal) over all bytes before it |
//!
//! ```
//! use luthier_plugin_build::sections;
//! let empty = b"\0asm\x0d\0\x01\0";
//! let with = sections::append(empty, sections::README, b"# hello");
//! let found = sections::read(&with).unwrap();
//! assert_eq!((found[0].name, found[0].content), ("luthier:readme", &b"# hello"[..]));
//! assert_eq!(sections::strip(&with).unwrap(), empty);
//! ```

use crate::Error;

/// Name of the section with licence, authors and homepage.
pub const ABOUT: &str = "luthier:about";
/// Name of the section with golden cases.
pub const GOLDEN: &str = "luthier:golden";
/// Name of the section with a text about the plugin.
pub const README: &str = "luthier:readme";
/// Name of the last section, which signs all bytes before it.
pub const SIGNATURE: &str = "luthier:signature";
/// What is signed is this and the bytes before the section.
pub const SIGNATURE_CONTEXT: &[u8] = b"luthier-plugin-v1\0";

const PREFIX: &str = "luthier:";
const HEADER: usize = 8;
/// Section id of custom sections.
const CUSTOM: u8 = 0;

/// A custom section of the outermost component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its content.
    pub content: &'a [u8],
    /// Where it starts in the file.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Custom sections of the outermost component, in order; those of nested modules are not looked at.
pub fn read(bytes: &[u8]) -> Result<Vec<Section<'_>>, Error> {
    let damaged = |finding| Error::NotAComponent { finding };
    if bytes.get(..4) != Some(b"\0asm") {
        return Err(damaged("it does not start with \\0asm"));
    }
    let mut sections = Vec::new();
    let mut start = HEADER;
    while let Some(id) = bytes.get(start) {
        let (size, after) = leb128(bytes, start + 1).ok_or(damaged("a section without a size"))?;
        let end = after.checked_add(size).filter(|end| *end <= bytes.len()).ok_or(damaged("a truncated section"))?;
        if *id == CUSTOM {
            let (length, name_start) = leb128(bytes, after).ok_or(damaged("a custom section without a name"))?;
            let name_end = name_start.checked_add(length).filter(|name_end| *name_end <= end);
            let name_end = name_end.ok_or(damaged("a custom section with a truncated name"))?;
            let name = std::str::from_utf8(&bytes[name_start..name_end]);
            let name = name.map_err(|_| damaged("a custom section whose name is not UTF-8"))?;
            sections.push(Section { name, content: &bytes[name_end..end], start, end });
        }
        start = end;
    }
    Ok(sections)
}

/// The bytes with one more custom section at the end.
pub fn append(bytes: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut inner = Vec::with_capacity(name.len() + content.len() + 5);
    push_leb128(&mut inner, name.len());
    inner.extend_from_slice(name.as_bytes());
    inner.extend_from_slice(content);
    let mut out = Vec::with_capacity(bytes.len() + inner.len() + 6);
    out.extend_from_slice(bytes);
    out.push(CUSTOM);
    push_leb128(&mut out, inner.len());
    out.extend_from_slice(&inner);
    out
}

/// The bytes without our own sections, so that they can be written anew.
pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for section in read(bytes)?.iter().filter(|section| section.name.starts_with(PREFIX)) {
        out.extend_from_slice(&bytes[from..section.start]);
        from = section.end;
    }
    out.extend_from_slice(&bytes[from..]);
    Ok(out)
}

/// The component with what its folder says of it: golden cases, a text, and JSON about it.
pub fn package(component: &[u8], about: &str, golden: Option<&str>, readme: Option<&str>) -> Result<Vec<u8>, Error> {
    let mut out = append(&strip(component)?, ABOUT, about.as_bytes());
    for (name, content) in [(GOLDEN, golden), (README, readme)] {
        if let Some(content) = content {
            out = append(&out, name, content.as_bytes());
        }
    }
    Ok(out)
}

/// The number and the position after it.
fn leb128(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for i in 0..5 {
        let byte = *bytes.get(start + i)?;
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, start + i + 1));
        }
    }
    None
}

fn push_leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests;
