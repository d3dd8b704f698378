//! Names of what a component imports and exports, read with a few lines: xtask compiles before
//! anything else, so it has no WebAssembly library.

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// Imports and exports of the outermost component, in order, without types.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Section ids of the component format, in its binary specification.
const IMPORT_SECTION: u8 = 10;
const EXPORT_SECTION: u8 = 11;
/// The sort of types.
const TYPE: u8 = 3;

pub(super) fn names(bytes: &[u8]) -> Result<Names> {
    ensure!(bytes.get(..4) == Some(b"\0asm"), "not WebAssembly");
    ensure!(bytes.get(6..8) == Some(&[1, 0]), "a core module, not a component");
    let mut names = Names::default();
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((&id, after)) = rest.split_first() {
        let (size, after) = leb128(after)?;
        let (section, after) = after.split_at_checked(size).context("a truncated section")?;
        match id {
            IMPORT_SECTION => collect(section, &mut names.imports, skip_description)?,
            EXPORT_SECTION => collect(section, &mut names.exports, skip_export)?,
            _ => {}
        }
        rest = after;
    }
    Ok(names)
}

/// A vector of a name and what `skip` skips.
fn collect(section: &[u8], names: &mut Vec<String>, skip: fn(&[u8]) -> Result<&[u8]>) -> Result<()> {
    let (count, mut rest) = leb128(section)?;
    for _ in 0..count {
        // The byte before the length is the name's form, 0 or 1.
        let (length, after) = leb128(rest.get(1..).context("a truncated name")?)?;
        let (text, after) = after.split_at_checked(length).context("a truncated name")?;
        // A type that is imported by name (`use` in a world) gives a plugin nothing to call.
        if after.first() != Some(&TYPE) {
            names.push(String::from_utf8(text.to_vec())?);
        }
        rest = skip(after)?;
    }
    Ok(())
}

/// `externdesc`: a kind and the index of its type.
fn skip_description(bytes: &[u8]) -> Result<&[u8]> {
    match bytes {
        [0x00, 0x11, rest @ ..] | [0x01 | 0x04 | 0x05, rest @ ..] | [0x03, 0x00, rest @ ..] => Ok(leb128(rest)?.1),
        [0x03, 0x01, rest @ ..] => Ok(rest),
        _ => bail!("an import or export of an unknown kind"),
    }
}

/// A sort, an index, and perhaps a description.
fn skip_export(bytes: &[u8]) -> Result<&[u8]> {
    let sort_length = if bytes.first() == Some(&0) { 2 } else { 1 };
    let (_, rest) = leb128(bytes.get(sort_length..).context("a truncated export")?)?;
    match rest {
        [0, rest @ ..] => Ok(rest),
        [1, rest @ ..] => skip_description(rest),
        _ => bail!("a truncated export"),
    }
}

fn leb128(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let mut value = 0usize;
    for (i, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[i + 1..]));
        }
    }
    bail!("a number that does not end")
}

#[cfg(test)]
mod tests;
