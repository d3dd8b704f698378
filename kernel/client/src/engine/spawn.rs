//! Starting an engine that outlives us, and only one of them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use luthier_protocol::paths::{LOG_FILE_NAME, SOCKET_FILE_NAME, SPAWN_LOCK_FILE_NAME};
use luthier_protocol::{Failure, FailureKind, private_dir};

use super::options::{ConnectOptions, effective_uid};

/// Pause between two looks at the socket or the lock.
const POLL: Duration = Duration::from_millis(20);

/// A stream to an engine that listens, started now if need be.
pub(super) fn open(options: &ConnectOptions) -> Result<UnixStream, Failure> {
    let dir = options.resolved_runtime_dir();
    private_dir::ensure(&dir, effective_uid()).map_err(|error| {
        Failure::new(FailureKind::Storage, error.to_string())
            .hint("set LUTHIER_RUNTIME_DIR to a directory that only you can enter")
    })?;
    let socket = dir.join(SOCKET_FILE_NAME);
    if let Some(stream) = try_connect(&socket)? {
        return Ok(stream);
    }
    let deadline = Instant::now() + options.start_timeout;
    // Whoever waits here finds the other's engine listening once the lock is free.
    let _lock = lock(&dir.join(SPAWN_LOCK_FILE_NAME), deadline)?;
    if let Some(stream) = try_connect(&socket)? {
        return Ok(stream);
    }
    start(options, &dir, &socket, deadline)
}

/// `None` when nobody listens: no socket, or one that a dead engine left behind.
fn try_connect(socket: &Path) -> Result<Option<UnixStream>, Failure> {
    match UnixStream::connect(socket) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(Failure::new(
            FailureKind::Storage,
            format!("the engine's socket {} cannot be opened: {error}", socket.display()),
        )),
    }
}

fn lock(path: &Path, deadline: Instant) -> Result<File, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(FailureKind::Storage, format!("the lock {} cannot be taken: {error}", path.display()))
    };
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| failed(&error))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(POLL),
            Err(TryLockError::WouldBlock) => return Err(failed(&"another program has held it too long")),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
    }
}

fn start(options: &ConnectOptions, dir: &Path, socket: &Path, deadline: Instant) -> Result<UnixStream, Failure> {
    let program = options.resolved_engine_binary();
    let log = dir.join(LOG_FILE_NAME);
    let log_start = log.metadata().map_or(0, |metadata| metadata.len());
    let ended = spawn(options, &program, dir, &log)?;
    loop {
        if let Some(stream) = try_connect(socket)? {
            return Ok(stream);
        }
        if let Ok(status) = ended.try_recv() {
            // Another engine may have won a race that the lock does not cover.
            if let Some(stream) = try_connect(socket)? {
                return Ok(stream);
            }
            return Err(failed_to_start(&program, &format!("it ended at once ({status})"), &log, log_start));
        }
        if Instant::now() >= deadline {
            let waited = format!("it did not listen within {} s", options.start_timeout.as_secs());
            return Err(failed_to_start(&program, &waited, &log, log_start));
        }
        std::thread::sleep(POLL);
    }
}

/// Start the engine in a process group of its own, so that neither a key press in our terminal nor
/// an interrupt of the kernel's group reaches it. The receiver hears when it ends.
fn spawn(options: &ConnectOptions, program: &Path, dir: &Path, log: &Path) -> Result<Receiver<ExitStatus>, Failure> {
    let log_file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log)
        .and_then(|file| Ok((file.try_clone()?, file)))
        .map_err(|error| {
            Failure::new(FailureKind::Storage, format!("the log {} cannot be written: {error}", log.display()))
        })?;
    let mut command = Command::new(program);
    command
        .arg("--socket")
        .arg(dir.join(SOCKET_FILE_NAME))
        .env("LUTHIER_RUNTIME_DIR", dir)
        .stdin(Stdio::null())
        .stdout(log_file.0)
        .stderr(log_file.1)
        // Not the project's: it would keep a file system busy, or vanish under the engine.
        .current_dir("/")
        .process_group(0);
    for name in ["EVCXR_IS_RUNTIME", "LUTHIER_CELL_SOCKET", "LUTHIER_RUST_ROLE"] {
        command.env_remove(name);
    }
    if let Some(seconds) = options.idle_s {
        command.env("LUTHIER_IDLE_S", seconds.to_string());
    }
    let program_is_relative = program.components().count() > 1 && program.is_relative();
    if program_is_relative && let Ok(absolute) = std::path::absolute(program) {
        return spawn(options, &absolute, dir, log);
    }
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    let (sender, ended) = mpsc::channel();
    // Reaps the child whenever it ends, or it would stay a zombie as long as we live.
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = sender.send(status);
        }
    });
    Ok(ended)
}

fn not_started(program: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::EngineLost, format!("the engine {} could not be started: {error}", program.display()))
        .hint("set LUTHIER_ENGINE to the path of the luthier-engine program")
}

/// With what the engine itself said since `log_start`.
fn failed_to_start(program: &Path, what: &str, log: &Path, log_start: u64) -> Failure {
    let said = tail(log, log_start);
    let message = match said.is_empty() {
        true => format!("the engine {} was started, but {what}", program.display()),
        false => format!("the engine {} was started, but {what}:\n{said}", program.display()),
    };
    Failure::new(FailureKind::EngineLost, message).hint(format!("its log is {}", log.display()))
}

/// The last lines written to a log since a position, at most ten.
pub(super) fn tail(log: &Path, from: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(64 << 10).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
