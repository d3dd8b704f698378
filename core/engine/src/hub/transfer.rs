//! One file's bytes, from where an earlier try stopped, until all of them are here.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use ureq::Body;
use ureq::http::Response;

use super::client::{Asked, Call, Hub, hub_error, may_pass, pause};
use super::{HubProblem, RepoId, Watch};
use crate::Error;

/// Tries in a row without a new byte.
const MAX_ATTEMPTS: u32 = 5;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// A file to fetch.
pub(super) struct Wanted<'a> {
    pub(super) repo: &'a RepoId,
    pub(super) file: &'a str,
    pub(super) url: String,
    pub(super) size: u64,
}

/// How one connection ended.
enum Ended {
    Complete,
    /// It broke, or the server did not give what was asked; another try may help.
    Broken {
        reason: String,
    },
}

/// Append to `part` until it has all bytes of the file.
pub(super) fn fetch(hub: &Hub, wanted: &Wanted<'_>, part: &Path, watch: Watch<'_>) -> Result<(), Error> {
    let fail = |source| Error::io("write", part, source);
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(part).map_err(fail)?;
    let mut attempts = 0;
    loop {
        let before = file.metadata().map_err(fail)?.len();
        let ended = stream(hub, wanted, &mut file, part, watch)?;
        let done = file.metadata().map_err(fail)?.len();
        let Ended::Broken { reason } = ended else {
            return file.sync_all().map_err(fail);
        };
        attempts = if done > before { 1 } else { attempts + 1 };
        if attempts >= MAX_ATTEMPTS {
            let (file, total) = (wanted.file.to_owned(), wanted.size);
            return Err(hub_error(wanted.repo, HubProblem::BrokenOff { file, done, total, attempts, reason }));
        }
        pause(Duration::from_millis(200 << attempts.min(4)), watch)?;
    }
}

/// One connection: from the end of `file` on, or from the start if the server cannot resume.
fn stream(hub: &Hub, wanted: &Wanted<'_>, file: &mut File, part: &Path, watch: Watch<'_>) -> Result<Ended, Error> {
    let fail = |source| Error::io("write", part, source);
    let mut done = file.metadata().map_err(fail)?.len();
    if done > wanted.size {
        done = restart(file).map_err(fail)?;
    }
    if done == wanted.size {
        return Ok(Ended::Complete);
    }
    let mut call = Call::get(wanted.url.clone()).header("accept-encoding", "identity");
    if done > 0 {
        call = call.header("range", format!("bytes={done}-"));
    }
    let response = match hub.once(&call, watch)? {
        Ok(response) => response,
        Err(problem) => return Ok(Ended::Broken { reason: problem.to_string() }),
    };
    match response.status().as_u16() {
        206 if range_start(&response) == Some(done) => {}
        206 | 416 => {
            restart(file).map_err(fail)?;
            return Ok(Ended::Broken { reason: "the server gave another range than the one asked for".into() });
        }
        200 => done = restart(file).map_err(fail)?,
        status if may_pass(status) => return Ok(Ended::Broken { reason: format!("status {status}") }),
        _ => return Err(hub_error(wanted.repo, hub.refusal(wanted.repo, &call, Asked::File(wanted.file), response))),
    }
    file.seek(SeekFrom::Start(done)).map_err(fail)?;
    copy(wanted, &chunks(response), file, part, done, watch)
}

fn copy(
    wanted: &Wanted<'_>,
    chunks: &Receiver<std::io::Result<Vec<u8>>>,
    file: &mut File,
    part: &Path,
    mut done: u64,
    watch: Watch<'_>,
) -> Result<Ended, Error> {
    let stage = format!("download {}", wanted.file);
    loop {
        watch.check()?;
        let chunk = match chunks.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return Ok(Ended::Broken { reason: error.to_string() }),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) if done == wanted.size => return Ok(Ended::Complete),
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Ended::Broken { reason: "the server closed the connection".into() });
            }
        };
        done += chunk.len() as u64;
        if done > wanted.size {
            let fail = |source| Error::io("write", part, source);
            restart(file).map_err(fail)?;
            let expected = format!("{} bytes", wanted.size);
            let (file, found) = (wanted.file.to_owned(), format!("at least {done} bytes"));
            return Err(hub_error(wanted.repo, HubProblem::Damaged { file, what: "length", expected, found }));
        }
        file.write_all(&chunk).map_err(|source| Error::io("write", part, source))?;
        (watch.progress)(&stage, done, wanted.size);
    }
}

/// Read a body in a thread of its own. Whoever takes the chunks can stop whenever it likes.
fn chunks(response: Response<Body>) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = crossbeam_channel::bounded(4);
    let mut reader = response.into_body().into_reader();
    let work = move || {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let outcome = match reader.read(&mut chunk) {
                Ok(0) => return,
                Ok(n) => {
                    chunk.truncate(n);
                    Ok(chunk)
                }
                Err(error) => Err(error),
            };
            let is_over = outcome.is_err();
            if sender.send(outcome).is_err() || is_over {
                return;
            }
        }
    };
    // Without a thread the channel is closed at once, and the transfer counts as broken.
    let _ = std::thread::Builder::new().name("hub".into()).spawn(work);
    receiver
}

fn restart(file: &mut File) -> std::io::Result<u64> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))
}

/// `Content-Range: bytes 100-199/200` starts at 100.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get("content-range")?.to_str().ok()?;
    value.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
