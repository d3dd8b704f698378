//! What a plugin's file says of itself besides its code: licence, golden cases, a text, a signature.

use luthier_plugin_build::sections;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::columns::parse_json;
use crate::limits::Limits;
use crate::{Error, text};

/// Golden cases of one plugin.
const MAX_CASES: usize = 1_000;
/// Bytes of a plugin's text.
const MAX_README_BYTES: usize = 256 << 10;
/// Custom sections of one component; a compiler makes two or three.
const MAX_SECTIONS: usize = 256;

/// What a plugin's file brings besides code.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Package {
    /// SPDX licence expression; empty if it does not say.
    pub license: String,
    /// Who made it.
    pub authors: Vec<String>,
    /// Where more is to be found.
    pub homepage: String,
    /// What it says of itself, as Markdown; empty if nothing.
    pub readme: String,
    /// Golden cases; see [`crate::golden`].
    pub golden: Vec<Value>,
    /// The key that signed it (hexadecimal Ed25519), verified; `None`: not signed.
    pub signed_by: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    license: String,
    authors: Vec<String>,
    homepage: String,
}

/// Content of the signature section.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    key: String,
    signature: String,
}

/// Reads and checks all that a file brings. A signature that is there must be right.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Package, Error> {
    let malformed = |detail: String| Error::Package { detail };
    let found = sections::read(bytes).map_err(|error| Error::Malformed { detail: error.to_string() })?;
    if found.len() > MAX_SECTIONS {
        return Err(malformed(format!("{} custom sections (limit {MAX_SECTIONS})", found.len())));
    }
    let mut package = Package::default();
    let last = found.len().saturating_sub(1);
    for (i, section) in found.iter().enumerate() {
        let as_text =
            || std::str::from_utf8(section.content).map_err(|error| malformed(format!("{}: {error}", section.name)));
        match section.name {
            sections::ABOUT => {
                let about =
                    parse_json(as_text()?, limits).map_err(|finding| malformed(format!("luthier:about: {finding}")))?;
                let about: About =
                    serde_json::from_value(about).map_err(|error| malformed(format!("luthier:about: {error}")))?;
                package.license = text::clean(&about.license, 128);
                package.authors = about.authors.iter().take(32).map(|author| text::clean(author, 128)).collect();
                package.homepage = text::clean(&about.homepage, 256);
            }
            sections::GOLDEN => package.golden = golden(as_text()?, limits).map_err(malformed)?,
            sections::README => package.readme = text::printable(as_text()?, MAX_README_BYTES),
            sections::SIGNATURE if i == last && section.end == bytes.len() => {
                let signed = bytes.get(..section.start).unwrap_or_default();
                package.signed_by =
                    Some(verify(signed, section.content).map_err(|detail| Error::Signature { detail })?);
            }
            sections::SIGNATURE => {
                let detail = "something follows the signature, which signs only what comes before it".to_owned();
                return Err(Error::Signature { detail });
            }
            _ => {}
        }
    }
    Ok(package)
}

/// One JSON document per line; empty lines and lines that start with `//` are left out.
pub(crate) fn golden(text: &str, limits: &Limits) -> Result<Vec<Value>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("//"));
    let mut cases = Vec::new();
    for (number, line) in lines {
        if cases.len() >= MAX_CASES {
            return Err(format!("more than {MAX_CASES} golden cases"));
        }
        cases.push(
            parse_json(line, limits).map_err(|finding| format!("golden case in line {}: {finding}", number + 1))?,
        );
    }
    Ok(cases)
}

fn verify(signed: &[u8], content: &[u8]) -> Result<String, String> {
    let found: Signed = serde_json::from_slice(content).map_err(|error| format!("an unreadable signature: {error}"))?;
    let key = bytes_of(&found.key).filter(|key| key.len() == 32).ok_or("a key that is not 32 bytes in hexadecimal")?;
    let signature = bytes_of(&found.signature).ok_or("a signature that is not hexadecimal")?;
    let message = [sections::SIGNATURE_CONTEXT, signed].concat();
    UnparsedPublicKey::new(&ED25519, &key)
        .verify(&message, &signature)
        .map_err(|_| "the signature is not that of these bytes".to_owned())?;
    Ok(hex(&key))
}

/// The component with a signature at its end, made with an Ed25519 key in PKCS#8.
pub fn sign(component: &[u8], pkcs8: &[u8]) -> Result<Vec<u8>, Error> {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let key = Ed25519KeyPair::from_pkcs8(pkcs8)
        .map_err(|error| Error::Signature { detail: format!("the key is not Ed25519 in PKCS#8: {error}") })?;
    let found = sections::read(component).map_err(|error| Error::Malformed { detail: error.to_string() })?;
    let end =
        found.iter().find(|section| section.name == sections::SIGNATURE).map_or(component.len(), |found| found.start);
    let unsigned = component.get(..end).unwrap_or(component);
    let signature = key.sign(&[sections::SIGNATURE_CONTEXT, unsigned].concat());
    let signed = Signed { key: hex(key.public_key().as_ref()), signature: hex(signature.as_ref()) };
    let content = serde_json::to_vec(&signed).map_err(|error| Error::Signature { detail: error.to_string() })?;
    Ok(sections::append(unsigned, sections::SIGNATURE, &content))
}

/// A new key for [`sign`], in PKCS#8.
pub fn new_key() -> Result<Vec<u8>, Error> {
    let random = ring::rand::SystemRandom::new();
    let key = ring::signature::Ed25519KeyPair::generate_pkcs8(&random)
        .map_err(|_| Error::Signature { detail: "the system gave no randomness for a key".to_owned() })?;
    Ok(key.as_ref().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() || hex.len() > 512 {
        return None;
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests;
