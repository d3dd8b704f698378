//! Bases on which a person wants an adapter although it was trained on other weights: a file beside
//! the adapter, one fingerprint per entry.

use std::path::Path;

use crate::Error;

/// The file's name in an adapter directory.
pub(crate) const FILE_NAME: &str = "luthier-accepted-bases.json";

/// Whether somebody has said so. A damaged file says nothing.
pub(super) fn is_accepted(adapter: &Path, base_fingerprint: &str) -> bool {
    read(adapter).iter().any(|accepted| accepted == base_fingerprint)
}

/// Say so from now on.
pub(crate) fn accept_base(adapter: &Path, base_fingerprint: &str) -> Result<(), Error> {
    let mut accepted = read(adapter);
    if !accepted.iter().any(|known| known == base_fingerprint) {
        accepted.push(base_fingerprint.to_owned());
        crate::files::write_json(&adapter.join(FILE_NAME), &accepted)?;
    }
    Ok(())
}

fn read(adapter: &Path) -> Vec<String> {
    let text = crate::files::read_text(&adapter.join(FILE_NAME), crate::files::MAX_JSON_BYTES);
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}
