//! Files to the hub: one commit, small files inside it, large ones stored first.
//!
//! ```text
//! create repository ─► preupload (which are large?) ─► LFS batch ─► PUT … ─► commit (NDJSON)
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::client::{Asked, Call, Hub, Payload, clean, hub_error};
use super::{HubProblem, RepoId, Watch, select, verify};
use crate::Error;

/// The hub looks at this much of a file to say whether it is text.
const SAMPLE_BYTES: usize = 512;

/// Files asked about in one request.
const FILES_PER_REQUEST: usize = 256;

/// A file inside the commit itself is not larger; the hub refuses more.
const MAX_INLINE_BYTES: u64 = 10 << 20;

/// A file and its path in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it is.
    pub path: PathBuf,
    /// What it will be called.
    pub name: String,
}

/// What a push came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The new commit.
    pub commit: String,
    /// The page that shows it.
    pub url: String,
    /// Bytes of all files.
    pub n_bytes: u64,
    /// Bytes that the hub did not have.
    pub n_sent_bytes: u64,
}

/// A file on its way.
struct Item<'a> {
    upload: &'a Upload,
    size: u64,
    /// Of large files.
    sha256: Option<String>,
}

/// How far a large file is sent, seen from outside of the thread that sends it.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    stage: String,
    before: u64,
    total: u64,
    pub(super) sent: Arc<AtomicU64>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Meter {
    pub(super) fn report(&self, watch: Watch<'_>) {
        let done = (self.before + self.sent.load(Ordering::Relaxed)).min(self.total);
        (watch.progress)(&self.stage, done, self.total);
    }
}

impl Hub {
    /// Put files into a repository, made if it is missing, as one commit of its revision.
    ///
    /// # Errors
    /// [`Error::Hub`], [`Error::Io`], [`Error::Interrupted`]. Until the commit nothing is visible.
    pub fn push(
        &self,
        repo: &RepoId,
        uploads: &[Upload],
        is_private: bool,
        message: &str,
        watch: Watch<'_>,
    ) -> Result<Pushed, Error> {
        if let Some(variable) = self.settings.offline {
            let missing = "to push is to use it".to_owned();
            return Err(hub_error(repo, HubProblem::Offline { variable, missing }));
        }
        if self.settings.current_token().is_none() {
            return Err(hub_error(repo, HubProblem::Unauthorized { with_token: false }));
        }
        self.create(repo, is_private, watch)?;
        let mut items = Vec::with_capacity(uploads.len());
        for upload in uploads {
            if !select::is_plain_path(&upload.name) {
                return Err(Error::invalid("a file's name", &upload.name, "letters, digits, `-`, `_`, `.`"));
            }
            let metadata = std::fs::metadata(&upload.path).map_err(|source| Error::io("read", &upload.path, source))?;
            items.push(Item { upload, size: metadata.len(), sha256: None });
        }
        self.classify(repo, &mut items, watch)?;
        let n_sent_bytes = self.store_large(repo, &items, watch)?;
        let (commit, url) = self.commit(repo, &items, message, watch)?;
        Ok(Pushed { commit, url, n_bytes: items.iter().map(|item| item.size).sum(), n_sent_bytes })
    }

    fn create(&self, repo: &RepoId, is_private: bool, watch: Watch<'_>) -> Result<(), Error> {
        let (org, name) = repo.id.split_once('/').unwrap_or_default();
        let body = json!({ "name": name, "organization": org, "type": repo.kind.singular(), "private": is_private });
        let call = Call::post_json(format!("{}/api/repos/create", self.settings.endpoint), &body);
        match self.once(&call, watch)? {
            // 409: it is there already.
            Ok(response) if response.status().is_success() || response.status() == 409 => Ok(()),
            Ok(response) => Err(hub_error(repo, self.refusal(repo, &call, Asked::Other, response))),
            Err(problem) => Err(hub_error(repo, problem)),
        }
    }

    /// Ask which files are large, and hash those.
    fn classify(&self, repo: &RepoId, items: &mut [Item<'_>], watch: Watch<'_>) -> Result<(), Error> {
        for chunk in items.chunks_mut(FILES_PER_REQUEST) {
            let mut files = Vec::with_capacity(chunk.len());
            for item in chunk.iter() {
                let sample = head(&item.upload.path)?;
                let sample = BASE64.encode(&sample);
                files.push(json!({ "path": item.upload.name, "sample": sample, "size": item.size }));
            }
            let url = self.api(repo, &format!("/preupload/{}", repo.revision_part()));
            let answer =
                self.json(repo, &Call::post_json(url, &json!({ "files": files })), Asked::Repository, watch)?;
            let modes = answer.get("files").and_then(Value::as_array).cloned().unwrap_or_default();
            for item in chunk {
                let mode = modes.iter().find(|mode| mode.get("path") == Some(&json!(item.upload.name)));
                let mode = mode.and_then(|mode| mode.get("uploadMode")).and_then(Value::as_str);
                // Empty files cannot be stored apart; large ones cannot be inside the commit.
                let is_large = item.size > 0 && (mode == Some("lfs") || item.size > MAX_INLINE_BYTES);
                if is_large {
                    watch.check()?;
                    item.sha256 = Some(verify::sha256(&item.upload.path)?);
                }
            }
        }
        Ok(())
    }

    /// Store the large files that the hub does not have; how many bytes those are.
    fn store_large(&self, repo: &RepoId, items: &[Item<'_>], watch: Watch<'_>) -> Result<u64, Error> {
        let large: Vec<&Item<'_>> = items.iter().filter(|item| item.sha256.is_some()).collect();
        let mut n_sent = 0;
        for chunk in large.chunks(FILES_PER_REQUEST) {
            let objects: Vec<Value> =
                chunk.iter().map(|item| json!({ "oid": item.sha256, "size": item.size })).collect();
            let body = json!({ "operation": "upload", "transfers": ["basic", "multipart"], "objects": objects,
                "hash_algo": "sha256", "ref": { "name": repo.revision } });
            let call = Call::post_json(format!("{}.git/info/lfs/objects/batch", self.page(repo)), &body)
                .header("accept", "application/vnd.git-lfs+json");
            let answer = self.json(repo, &call, Asked::Repository, watch)?;
            let objects = answer.get("objects").and_then(Value::as_array).cloned().unwrap_or_default();
            for item in chunk {
                let object =
                    objects.iter().find(|object| object.get("oid").and_then(Value::as_str) == item.sha256.as_deref());
                let bad =
                    |reason: String| hub_error(repo, HubProblem::BadAnswer { what: item.upload.name.clone(), reason });
                let object = object.ok_or_else(|| bad("it says nothing about the file".into()))?;
                if let Some(error) = object.get("error") {
                    return Err(bad(clean(&error.to_string(), None)));
                }
                let action = |name: &str| object.get("actions").and_then(|actions| actions.get(name));
                if let Some(upload) = action("upload") {
                    self.put(repo, item, upload, watch)?;
                    n_sent += item.size;
                }
                if let Some(href) = action("verify").and_then(|verify| verify.get("href")).and_then(Value::as_str) {
                    let body = json!({ "oid": item.sha256, "size": item.size });
                    self.answer(repo, &Call::post_json(href.to_owned(), &body), Asked::Other, watch)?;
                }
            }
        }
        Ok(n_sent)
    }

    /// One large file to the address that the hub names: at once, or in parts.
    fn put(&self, repo: &RepoId, item: &Item<'_>, upload: &Value, watch: Watch<'_>) -> Result<(), Error> {
        let bad = |reason: &str| {
            let reason = reason.to_owned();
            hub_error(repo, HubProblem::BadAnswer { what: item.upload.name.clone(), reason })
        };
        let href = upload.get("href").and_then(Value::as_str).ok_or_else(|| bad("it names no address"))?;
        let header = upload.get("header").and_then(Value::as_object).cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let Some(chunk) = header.get("chunk_size") else {
            let mut call = file_call(item, href, 0, item.size);
            call.headers.extend(header.iter().map(|(name, value)| (name.to_lowercase(), text(value))));
            return self.answer(repo, &call, Asked::Other, watch).map(drop);
        };
        let chunk: u64 =
            text(chunk).parse().ok().filter(|n| *n > 0).ok_or_else(|| bad("its chunk_size is no number"))?;
        let mut parts = Vec::new();
        for (number, start) in (1_u64..).zip((0..item.size).step_by(usize::try_from(chunk).unwrap_or(usize::MAX))) {
            // Keys of parts are numbers, with or without leading zeros.
            let part = header.iter().find(|(key, _)| key.parse() == Ok(number)).and_then(|(_, value)| value.as_str());
            let part = part.ok_or_else(|| bad("it names too few parts"))?;
            let call = file_call(item, part, start, chunk.min(item.size - start));
            let response = self.answer(repo, &call, Asked::Other, watch)?;
            let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).unwrap_or_default();
            parts.push(json!({ "partNumber": number, "etag": etag }));
        }
        let body = json!({ "oid": item.sha256, "parts": parts });
        self.answer(repo, &Call::post_json(href.to_owned(), &body), Asked::Other, watch).map(drop)
    }

    fn commit(
        &self,
        repo: &RepoId,
        items: &[Item<'_>],
        message: &str,
        watch: Watch<'_>,
    ) -> Result<(String, String), Error> {
        let mut lines = vec![json!({ "key": "header", "value": { "summary": message, "description": "" } })];
        for item in items {
            let name = &item.upload.name;
            lines.push(match &item.sha256 {
                Some(oid) => json!({ "key": "lfsFile",
                    "value": { "path": name, "algo": "sha256", "oid": oid, "size": item.size } }),
                None => {
                    let path = &item.upload.path;
                    let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
                    json!({ "key": "file",
                        "value": { "content": BASE64.encode(&bytes), "path": name, "encoding": "base64" } })
                }
            });
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let url = self.api(repo, &format!("/commit/{}", repo.revision_part()));
        let body = Payload::Bytes { content_type: "application/x-ndjson", bytes: text.into_bytes() };
        let call = Call { method: "POST", body, ..Call::get(url) };
        let answer = self.json(repo, &call, Asked::Repository, watch)?;
        let text = |key: &str| clean(answer.get(key).and_then(Value::as_str).unwrap_or_default(), None);
        let (commit, url) = (text("commitOid"), text("commitUrl"));
        if commit.is_empty() {
            let reason = "it names no commit".to_owned();
            return Err(hub_error(repo, HubProblem::BadAnswer { what: "the commit".into(), reason }));
        }
        Ok((commit, url))
    }
}

/// A stretch of a file to an address that is not the hub's own: its query is the permission.
fn file_call(item: &Item<'_>, href: &str, start: u64, len: u64) -> Call {
    let meter = Meter {
        stage: format!("upload {}", item.upload.name),
        before: start,
        total: item.size,
        sent: Arc::default(),
        stop: Arc::default(),
    };
    let body = Payload::File { path: item.upload.path.clone(), start, len, meter };
    Call { method: "PUT", is_authorized: false, body, ..Call::get(href.to_owned()) }
}

fn head(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let fail = |source| Error::io("read", path, source);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(SAMPLE_BYTES as u64).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}
