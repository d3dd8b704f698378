//! A server on this machine that speaks as much of the Hugging Face hub's API as clients need, and
//! misbehaves on request.
//!
//! ```text
//! GET  /api/models/ORG/NAME/revision/REV        commit and file names
//! HEAD /ORG/NAME/resolve/REV/FILE               ETag, X-Repo-Commit; large files: X-Linked-*, Location
//! GET  /cdn/OID                                 large files, by another host name
//! POST /api/repos/create, /api/models/…/preupload/REV, /ORG/NAME.git/info/lfs/objects/batch,
//!      /api/models/…/commit/REV;  PUT /lfs/OID
//! ```

mod http;
mod read;
mod write;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use sha2::{Digest, Sha256};

pub use http::{Reply, Request};

/// What the server does instead of what it should, to requests whose `METHOD path` contains a text.
#[derive(Debug, Clone)]
pub enum Mishap {
    /// Answer with this status and no body.
    Status(u16),
    /// Announce everything, send this many bytes of the body, and close.
    CutAfter(usize),
    /// Send another body of the same length.
    WrongBytes,
    /// Announce and send this many bytes more.
    TooLong(usize),
    /// Ignore `Range` and send everything.
    IgnoreRange,
    /// Answer a range with another one.
    WrongRange,
    /// Set a header to this value.
    Header(&'static str, String),
    /// Send this instead of the body.
    Body(String),
    /// Accept, and never answer.
    Silence,
}

/// One repository at one commit.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub sha: String,
    /// Content by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// One repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// Commits by branch or tag.
    pub revisions: BTreeMap<String, Commit>,
    /// Wants this token.
    pub token: Option<String>,
    /// Even a token is not enough.
    pub is_gated: bool,
}

#[derive(Debug, Default)]
struct State {
    /// By `models/org/name` or `datasets/org/name`.
    repositories: BTreeMap<String, Repository>,
    /// Large files by sha256.
    objects: BTreeMap<String, Vec<u8>>,
    requests: Vec<String>,
    /// Values of `Authorization`, by `METHOD path`.
    authorizations: Vec<(String, String)>,
    mishaps: Vec<(String, Mishap, usize)>,
    n_commits: u64,
}

/// A running server; it ends with the process.
#[derive(Debug, Clone)]
pub struct HubServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl HubServer {
    /// Start on a free port of the loopback interface.
    pub fn start() -> Result<HubServer> {
        HubServer::start_on(0)
    }

    /// Start on a port.
    pub fn start_on(port: u16) -> Result<HubServer> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let server = HubServer { port: listener.local_addr()?.port(), state: Arc::default() };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || own.serve(stream));
            }
        });
        Ok(server)
    }

    /// The value of `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Put a commit at a revision of `models/org/name`; its hash.
    pub fn commit(&self, repository: &str, revision: &str, files: BTreeMap<String, Vec<u8>>) -> String {
        let mut state = self.state();
        state.n_commits += 1;
        let sha = format!("{:040x}", 0xabc0_0000_0000_u64 + state.n_commits);
        for bytes in files.values() {
            state.objects.insert(sha256(bytes), bytes.clone());
        }
        let commit = Commit { sha: sha.clone(), files };
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.revisions.insert(revision.to_owned(), commit);
        sha
    }

    /// All files of a directory as a commit of `main`.
    pub fn commit_dir(&self, repository: &str, dir: &std::path::Path) -> Result<String> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_file() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path)?);
            }
        }
        Ok(self.commit(repository, "main", files))
    }

    /// Change what is known about a repository.
    pub fn repository(&self, name: &str, change: impl FnOnce(&mut Repository)) {
        change(self.state().repositories.entry(name.to_owned()).or_default());
    }

    /// A repository as it is now.
    pub fn look(&self, name: &str) -> Option<Repository> {
        self.state().repositories.get(name).cloned()
    }

    /// Misbehave the next `times` times that a request's `METHOD path` contains `pattern`.
    pub fn mishap(&self, pattern: &str, mishap: Mishap, times: usize) {
        self.state().mishaps.push((pattern.to_owned(), mishap, times));
    }

    /// Behave again.
    pub fn behave(&self) {
        self.state().mishaps.clear();
    }

    /// `METHOD path` of all requests since the last look.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }

    /// Requests that carried `Authorization`, with its value, since the last look.
    pub fn authorizations(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().authorizations)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(mut request) = http::read(&stream) else { return };
        let line = format!("{} {}", request.method, request.path);
        let mishaps: Vec<Mishap> = {
            let mut state = self.state();
            state.requests.push(line.clone());
            if let Some(value) = request.header("authorization") {
                let value = value.to_owned();
                state.authorizations.push((line.clone(), value));
            }
            // One at a time, in the order in which they were asked for.
            let mut mishaps = state.mishaps.iter_mut();
            let due = mishaps.find(|(pattern, _, left)| *left > 0 && line.contains(pattern.as_str()));
            let take = |(_, mishap, left): &mut (String, Mishap, usize)| {
                *left -= 1;
                mishap.clone()
            };
            due.map(take).into_iter().collect()
        };
        if mishaps.iter().any(|mishap| matches!(mishap, Mishap::Silence)) {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        }
        if mishaps.iter().any(|mishap| matches!(mishap, Mishap::IgnoreRange)) {
            request.headers.retain(|(name, _)| name != "range");
        }
        // A server that answers with an error has done nothing.
        let fails = mishaps.iter().any(|mishap| matches!(mishap, Mishap::Status(_)));
        let reply = if fails { Reply::default() } else { self.route(&request) };
        let _ = http::write(&stream, &request, reply, &mishaps);
    }

    fn route(&self, request: &Request) -> Reply {
        match request.method.as_str() {
            "GET" | "HEAD" => self.read(request),
            _ => self.write(request),
        }
    }

    /// Whether a request may see a repository.
    fn refusal(&self, repository: &str, request: &Request) -> Option<Reply> {
        let state = self.state();
        let Some(found) = state.repositories.get(repository) else {
            return Some(Reply::error(404, "RepoNotFound", "Repository not found"));
        };
        let given = request.header("authorization").unwrap_or_default();
        let wanted = found.token.as_ref().map(|token| format!("Bearer {token}"));
        if wanted.is_some_and(|wanted| wanted != given) {
            let code = if given.is_empty() { "RepoNotFound" } else { "" };
            return Some(Reply::error(401, code, &format!("Invalid credentials: {given}")));
        }
        found.is_gated.then(|| Reply::error(403, "GatedRepo", "Access to model is restricted"))
    }
}

/// The name of a large file.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Git's name for a small file.
pub fn git_hash(bytes: &[u8]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(format!("blob {}\0", bytes.len()).as_bytes());
    context.update(bytes);
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
