//! Pulling a component from an OCI registry (the distribution specification, 1.1): a manifest whose
//! layer is the component. Everything is checked against its digest.

use luthier_plugin_host::audit::digest;
use serde::Deserialize;

use super::{Fetched, check_digest, http};
use crate::Error;

const MANIFEST_TYPES: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
const MAX_MANIFEST_BYTES: usize = 1 << 20;

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
struct Layer {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
}

#[derive(Debug, Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: String,
}

/// `registry[:port]/repository[:tag|@sha256:…]`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) registry: &'a str,
    pub(super) repository: &'a str,
    pub(super) reference: &'a str,
}

impl<'a> Reference<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (registry, rest) = text.split_once('/')?;
        let (repository, reference) = match rest.split_once('@') {
            Some(parts) => parts,
            None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
        };
        let plain = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':'))
        };
        (plain(registry) && plain(repository) && plain(reference)).then_some(Self { registry, repository, reference })
    }

    /// Registries on this machine speak plain HTTP.
    fn base(&self) -> String {
        let host = self.registry.split(':').next().unwrap_or_default();
        let scheme = if matches!(host, "localhost" | "127.0.0.1") { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}", self.registry, self.repository)
    }
}

/// Fetches the component that `reference` names.
pub(super) fn pull(text: &str) -> Result<Fetched, Error> {
    let address = format!("oci://{text}");
    let failed = |finding: &str| Error::Fetch { address: address.clone(), finding: finding.to_owned() };
    let reference = Reference::parse(text).ok_or_else(|| failed("expected oci://registry/repository:tag"))?;
    let base = reference.base();
    let mut token = None;
    let manifest = get(&format!("{base}/manifests/{}", reference.reference), Some(MANIFEST_TYPES), &mut token)?;
    if manifest.len() > MAX_MANIFEST_BYTES {
        return Err(failed("the manifest is too large"));
    }
    let manifest_digest = digest(&manifest);
    check_digest(&address, Some(reference.reference).filter(|found| found.starts_with("sha256:")), &manifest_digest)?;
    let manifest: Manifest =
        serde_json::from_slice(&manifest).map_err(|error| failed(&format!("the manifest cannot be read: {error}")))?;
    let wasm = manifest.layers.iter().find(|layer| layer.media_type.contains("wasm"));
    let layer = match (wasm, manifest.layers.as_slice()) {
        (Some(layer), _) | (None, [layer]) => layer,
        (None, layers) => return Err(failed(&format!("{} layers, and none is WebAssembly", layers.len()))),
    };
    let bytes = get(&format!("{base}/blobs/{}", layer.digest), None, &mut token)?;
    check_digest(&address, Some(&layer.digest), &digest(&bytes))?;
    let source = format!("oci://{}/{}@{manifest_digest}", reference.registry, reference.repository);
    Ok(Fetched { bytes, source })
}

/// A GET that answers a registry's challenge once, anonymously.
fn get(address: &str, accept: Option<&str>, token: &mut Option<String>) -> Result<Vec<u8>, Error> {
    for _ in 0..2 {
        let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = Vec::new();
        headers.extend(accept.map(|accept| ("Accept", accept)));
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        let answer = http::ask(address, &headers)?;
        match (answer.status, answer.challenge) {
            (200, _) => return Ok(answer.bytes),
            (401, Some(challenge)) if token.is_none() => *token = Some(fetch_token(address, &challenge)?),
            (status, _) => {
                let finding = format!("the registry says {status}");
                return Err(Error::Fetch { address: address.to_owned(), finding });
            }
        }
    }
    Err(Error::Fetch { address: address.to_owned(), finding: "the registry refuses an anonymous token".to_owned() })
}

/// `Bearer realm="https://auth…",service="…",scope="…"`
fn fetch_token(address: &str, challenge: &str) -> Result<String, Error> {
    let failed = || Error::Fetch { address: address.to_owned(), finding: "the registry asks for a login".to_owned() };
    let parameters = challenge.strip_prefix("Bearer ").ok_or_else(failed)?;
    let value = |key: &str| {
        let start = parameters.find(&format!("{key}=\""))? + key.len() + 2;
        let rest = parameters.get(start..)?;
        rest.get(..rest.find('"')?)
    };
    let realm = value("realm").filter(|realm| realm.starts_with("https://") || realm.starts_with("http://127.0.0.1"));
    let realm = realm.ok_or_else(failed)?;
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ".:/-_,".contains(c));
    let query: Vec<String> = ["service", "scope"]
        .iter()
        .filter_map(|key| Some(format!("{key}={}", value(key).filter(|text| plain(text))?)))
        .collect();
    let answer = http::get(&format!("{realm}?{}", query.join("&")), &[])?;
    let token: Token = serde_json::from_slice(&answer.bytes).map_err(|_| failed())?;
    Ok(token.token)
}
