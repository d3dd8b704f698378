//! HTTP with the hub: requests that can be interrupted, redirects followed by hand, statuses as
//! problems in plain words.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ureq::http::{Request, Response, Uri};
use ureq::{Agent, Body};

use super::problem::is_passing_status;
use super::upload::Meter;
use super::{HubProblem, HubSettings, RepoId, RepoKind, Token, Watch};
use crate::Error;

/// Time to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Time to the first byte of an answer, and from one byte to the next.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// No JSON answer is larger (the file list of the largest datasets has some megabytes).
const MAX_ANSWER_BYTES: u64 = 32 << 20;

/// Tries of a request whose failure may pass, and the waits between them.
const WAITS_MS: [u64; 3] = [200, 800, 2500];

/// The hub, as this process sees it.
#[derive(Debug)]
pub struct Hub {
    pub(super) settings: HubSettings,
    agent: Agent,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    /// The token goes along, as long as the address is the hub's own.
    pub(super) is_authorized: bool,
    pub(super) body: Payload,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    Nothing,
    Bytes {
        content_type: &'static str,
        bytes: Vec<u8>,
    },
    /// A stretch of a file.
    File {
        path: PathBuf,
        start: u64,
        len: u64,
        meter: Meter,
    },
}

impl Call {
    pub(super) fn get(url: String) -> Call {
        Call { method: "GET", url, headers: Vec::new(), is_authorized: true, body: Payload::Nothing }
    }

    pub(super) fn head(url: String) -> Call {
        Call { method: "HEAD", ..Call::get(url) }
    }

    pub(super) fn post_json(url: String, value: &serde_json::Value) -> Call {
        let bytes = value.to_string().into_bytes();
        Call { method: "POST", body: Payload::Bytes { content_type: "application/json", bytes }, ..Call::get(url) }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Call {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What a status means depends on what was asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    Repository,
    File(&'a str),
    Other,
}

impl Hub {
    /// Nothing is asked yet.
    pub fn new(settings: HubSettings) -> Hub {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_recv_response(Some(SILENCE_LIMIT))
            .timeout_per_read(Some(SILENCE_LIMIT))
            .user_agent(concat!("luthier/", env!("CARGO_PKG_VERSION")))
            .build();
        Hub { settings, agent: config.into() }
    }

    /// The cache, if there is a place for one.
    pub fn cache(&self) -> Option<&std::path::Path> {
        self.settings.cache.as_deref()
    }

    /// The answer to a call, redirects followed; tried again when the failure may pass.
    pub(super) fn answer(
        &self,
        repo: &RepoId,
        call: &Call,
        asked: Asked<'_>,
        watch: Watch<'_>,
    ) -> Result<Response<Body>, Error> {
        let mut waits = WAITS_MS.into_iter();
        loop {
            let problem = match self.once(call, watch)? {
                Ok(response) if response.status().as_u16() < 400 => return Ok(response),
                Ok(response) => self.refusal(repo, call, asked, response),
                Err(problem) => problem,
            };
            match waits.next().filter(|_| problem.is_passing()) {
                Some(wait_ms) => pause(Duration::from_millis(wait_ms), watch)?,
                None => return Err(hub_error(repo, problem)),
            }
        }
    }

    /// The JSON of an answer.
    pub(super) fn json(
        &self,
        repo: &RepoId,
        call: &Call,
        asked: Asked<'_>,
        watch: Watch<'_>,
    ) -> Result<serde_json::Value, Error> {
        let mut response = self.answer(repo, call, asked, watch)?;
        let bad = |reason: String| HubProblem::BadAnswer { what: path_of(&call.url), reason };
        let bytes = aside(
            watch,
            || {},
            move || {
                let mut bytes = Vec::new();
                response.body_mut().as_reader().take(MAX_ANSWER_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
            },
        )?;
        let bytes = bytes.map_err(|error| hub_error(repo, bad(error.to_string())))?;
        if bytes.len() as u64 > MAX_ANSWER_BYTES {
            return Err(hub_error(repo, bad(format!("it is longer than {MAX_ANSWER_BYTES} bytes"))));
        }
        serde_json::from_slice(&bytes).map_err(|error| hub_error(repo, bad(format!("not JSON: {error}"))))
    }

    /// One try, redirects followed: the answer with any status, or why there is none.
    pub(super) fn once(&self, call: &Call, watch: Watch<'_>) -> Result<Result<Response<Body>, HubProblem>, Error> {
        let mut call = call.clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = self.prepare(&call);
            let agent = self.agent.clone();
            let host = host_of(&call.url);
            let meter = match &call.body {
                Payload::File { meter, .. } => Some(meter.clone()),
                _ => None,
            };
            let report = || meter.iter().for_each(|meter| meter.report(watch));
            let outcome = aside(watch, report, move || perform(&agent, request));
            if outcome.is_err() {
                // Nobody waits for it any more.
                meter.iter().for_each(|meter| meter.stop.store(true, Ordering::SeqCst));
            }
            let response = match outcome? {
                Ok(response) => response,
                Err(error) => return Ok(Err(HubProblem::Unreachable { host, reason: reason(&error) })),
            };
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            let Some(location) = location.filter(|_| response.status().is_redirection()) else {
                return Ok(Ok(response));
            };
            let Some(next) = resolve(&call.url, location) else {
                let reason = format!("it redirects to {:?}", clean(location, None));
                return Ok(Err(HubProblem::BadAnswer { what: path_of(&call.url), reason }));
            };
            // The hub says what a file is itself, and where its bytes lie by a redirect.
            if call.method == "HEAD" && !self.is_own(&next) {
                return Ok(Ok(response));
            }
            call.url = next;
        }
        let reason = format!("it redirects more than {MAX_REDIRECTS} times");
        Ok(Err(HubProblem::BadAnswer { what: path_of(&call.url), reason }))
    }

    fn prepare(&self, call: &Call) -> Call {
        let mut call = call.clone();
        let token = self.settings.current_token().filter(|_| call.is_authorized && self.is_own(&call.url));
        if let Some(token) = token {
            call.headers.push(("authorization".into(), token.header()));
        }
        call
    }

    /// Whether an address is the hub's own: nobody else gets the token.
    fn is_own(&self, url: &str) -> bool {
        url.strip_prefix(&self.settings.endpoint).is_some_and(|rest| rest.starts_with(['/', '?']) || rest.is_empty())
    }

    /// A status of 400 and more in plain words.
    pub(super) fn refusal(
        &self,
        repo: &RepoId,
        call: &Call,
        asked: Asked<'_>,
        mut response: Response<Body>,
    ) -> HubProblem {
        let token = self.settings.current_token();
        let with_token = token.is_some();
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned).unwrap_or_default()
        };
        let (code, said) = (header("x-error-code"), header("x-error-message"));
        let message = if said.is_empty() { body_message(&mut response) } else { said };
        let message = clean(&message, token.as_ref());
        let page = self.page(repo);
        let kind = repo.kind.singular();
        let is_gated = code == "GatedRepo" || (status == 403 && message.to_lowercase().contains("gated"));
        match (code.as_str(), status, asked) {
            _ if is_gated => HubProblem::Gated { page, with_token },
            ("RepoNotFound", ..) => HubProblem::NoRepository { kind, with_token },
            ("RevisionNotFound", ..) => HubProblem::NoRevision { revision: repo.revision.clone() },
            (_, 401, _) => HubProblem::Unauthorized { with_token },
            (_, 403, _) => HubProblem::Forbidden { message },
            (_, 404, Asked::Repository) => HubProblem::NoRepository { kind, with_token },
            (_, 404, Asked::File(file)) => HubProblem::NoFile { file: file.to_owned() },
            _ => HubProblem::Status { method: call.method, path: path_of(&call.url), status, message },
        }
    }

    /// `https://huggingface.co/api/models/org/name/…`
    pub(super) fn api(&self, repo: &RepoId, rest: &str) -> String {
        format!("{}/api/{}/{}{rest}", self.settings.endpoint, repo.kind.plural(), repo.id)
    }

    /// The git side of a repository: datasets have a prefix.
    pub(super) fn page(&self, repo: &RepoId) -> String {
        let prefix = if repo.kind == RepoKind::Dataset { "datasets/" } else { "" };
        format!("{}/{prefix}{}", self.settings.endpoint, repo.id)
    }
}

/// An error that names its repository.
pub(super) fn hub_error(repo: &RepoId, problem: HubProblem) -> Error {
    Error::Hub { repo: repo.to_string(), problem: Box::new(problem) }
}

/// Do blocking work in a thread of its own, so that whoever waits for it can be interrupted. Work
/// that is given up ends by its own timeouts.
pub(super) fn aside<T: Send + 'static>(
    watch: Watch<'_>,
    mut poll: impl FnMut(),
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let thread = std::thread::Builder::new().name("hub".into());
    let spawned = thread.spawn(move || {
        let _ = sender.send(work());
    });
    let here = std::path::Path::new("a thread");
    spawned.map_err(|source| Error::io("start", here, source))?;
    loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(value) => return Ok(value),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                watch.check()?;
                poll();
            }
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                return Err(Error::io("finish", here, std::io::Error::other("it panicked")));
            }
        }
    }
}

/// Wait, unless somebody interrupts.
pub(super) fn pause(time: Duration, watch: Watch<'_>) -> Result<(), Error> {
    let step = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    while waited < time {
        watch.check()?;
        std::thread::sleep(step.min(time - waited));
        waited += step;
    }
    watch.check()
}

fn perform(agent: &Agent, call: Call) -> Result<Response<Body>, ureq::Error> {
    let mut request = Request::builder().method(call.method).uri(&call.url);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    match call.body {
        Payload::Nothing => agent.run(request.body(())?),
        Payload::Bytes { content_type, bytes } => agent.run(request.header("content-type", content_type).body(bytes)?),
        Payload::File { path, start, len, meter } => {
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            meter.sent.store(0, Ordering::Relaxed);
            let mut stretch = Metered { inner: file.take(len), meter };
            let body = ureq::SendBody::from_reader(&mut stretch);
            agent.run(request.header("content-length", len).body(body)?)
        }
    }
}

/// Counts what is read, and ends when nobody wants it any more.
struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.meter.stop.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("interrupted"));
        }
        let n = self.inner.read(buffer)?;
        self.meter.sent.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Where a redirect leads: an absolute address, or a path on the same server. Never from https to
/// http.
fn resolve(from: &str, location: &str) -> Option<String> {
    let base: Uri = from.parse().ok()?;
    let is_path = location.starts_with('/') && !location.starts_with("//");
    let url = match is_path {
        true => format!("{}://{}{location}", base.scheme_str()?, base.authority()?),
        false => location.to_owned(),
    };
    let target: Uri = url.parse().ok()?;
    let is_good = match target.scheme_str()? {
        "https" => true,
        "http" => base.scheme_str() == Some("http"),
        _ => false,
    };
    (is_good && target.host().is_some()).then_some(url)
}

/// An address without its query: queries of signed addresses are secrets.
pub(super) fn path_of(url: &str) -> String {
    url.parse::<Uri>().map_or_else(|_| "?".to_owned(), |uri| uri.path().to_owned())
}

pub(super) fn host_of(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    uri.and_then(|uri| uri.authority().map(|host| host.to_string()))
        .unwrap_or_else(|| format!("{:?}", clean(url, None)))
}

pub(super) fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn body_message(response: &mut Response<Body>) -> String {
    let mut bytes = Vec::new();
    let _ = response.body_mut().as_reader().take(4096).read_to_end(&mut bytes);
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    value.get("error").and_then(|error| error.as_str()).unwrap_or_default().to_owned()
}

/// A server's text as part of a message: one short line that does not hold the token.
pub(super) fn clean(text: &str, token: Option<&Token>) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    match token {
        Some(token) => line.replace(token.header().trim_start_matches("Bearer "), "…"),
        None => line,
    }
}

/// Whether a transfer that got this status may be tried again.
pub(super) fn may_pass(status: u16) -> bool {
    is_passing_status(status)
}

#[cfg(test)]
mod tests;
