//! Where a plugin's bytes come from: a file, a folder that is built, an address, an OCI registry.
//!
//! ```text
//! my-metric.wasm   ./my-metric   https://host/my-metric.wasm[#sha256:…]   oci://registry/repository[:tag|@sha256:…]
//! ```

mod http;
mod oci;

use std::path::Path;

use luthier_plugin_host::{Limits, into_component};

use crate::Error;
use crate::authoring;
use crate::project::Project;

/// A component and where it is from.
pub(crate) struct Fetched {
    pub(crate) bytes: Vec<u8>,
    /// As `plugins.lock` names it: an address that holds its digest where it came from the network.
    pub(crate) source: String,
}

/// Reads, builds or downloads a component. An address may name the digest that it must have.
pub(crate) fn fetch(project: &Project, source: &str, build_dir: &Path) -> Result<Fetched, Error> {
    let Fetched { bytes, source } = fetch_as_it_is(project, source, build_dir)?;
    Ok(Fetched { bytes: into_component(bytes, &Limits::default())?, source })
}

fn fetch_as_it_is(project: &Project, source: &str, build_dir: &Path) -> Result<Fetched, Error> {
    if let Some(reference) = source.strip_prefix("oci://") {
        return oci::pull(reference);
    }
    if source.starts_with("https://") || source.starts_with("http://") {
        let (address, digest) = match source.split_once('#') {
            Some((address, digest)) => (address, Some(digest)),
            None => (source, None),
        };
        let bytes = http::get(address, &[])?.bytes;
        let found = luthier_plugin_host::audit::digest(&bytes);
        check_digest(source, digest, &found)?;
        return Ok(Fetched { bytes, source: format!("{address}#{found}") });
    }
    let path = project.resolve(source);
    if authoring::is_source(&path) {
        let built = authoring::Job::quiet(|job| authoring::build(&path, build_dir, job))?;
        return Ok(Fetched { bytes: built.component, source: source.to_owned() });
    }
    Ok(Fetched { bytes: super::read_component(&path)?, source: source.to_owned() })
}

fn check_digest(address: &str, expected: Option<&str>, found: &str) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != found => {
            Err(Error::Fetch { address: address.to_owned(), finding: format!("its digest is {found}") })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
