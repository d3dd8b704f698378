//! The socket, and the lock that makes starting safe.
//!
//! Whoever holds `engine.lock` is the engine. A socket that lies beside a lock that could be taken
//! is stale: its engine was killed. The system drops the lock with the process, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use luthier_protocol::paths::{LOCK_FILE_NAME, MAX_SOCKET_PATH_BYTES};
use luthier_protocol::private_dir::{self, PrivateDirError};

/// How long to wait for an engine that holds the lock but does not listen (it starts, or ends).
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Why the engine cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another engine listens there: nothing to do.
    #[error("an engine is already listening on {}", path.display())]
    AlreadyRunning {
        /// The socket.
        path: PathBuf,
    },
    /// Another engine holds the lock, but does not listen.
    #[error("another engine holds {} but does not listen", path.display())]
    Stuck {
        /// The lock.
        path: PathBuf,
    },
    /// The directory is not private.
    #[error(transparent)]
    Directory(#[from] PrivateDirError),
    /// The path does not fit into a socket address.
    #[error("the socket path {} has {} bytes, a unix socket takes at most {MAX_SOCKET_PATH_BYTES}", path.display(), path.as_os_str().len())]
    TooLong {
        /// The socket.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot listen on {}: {source}", path.display())]
    Io {
        /// The socket or the lock.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A socket that this process owns; removed when dropped.
#[derive(Debug)]
pub struct Bound {
    listener: UnixListener,
    path: PathBuf,
    /// A socket of a dead engine was in the way.
    pub repaired: bool,
    /// Held as long as the socket may be used; dropped after it is removed.
    _lock: File,
}

impl Bound {
    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Under the lock: nobody else can have bound here in between.
        let _ = fs::remove_file(&self.path);
    }
}

/// Listen on `path`, whose directory must be private to `uid`. Removes a stale socket.
pub fn bind(path: &Path, uid: u32) -> Result<Bound, BindError> {
    if path.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
        return Err(BindError::TooLong { path: path.to_path_buf() });
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_dir::ensure(dir, uid)?;
    let lock = take_lock(&dir.join(LOCK_FILE_NAME), path)?;

    let fail = |source| BindError::Io { path: path.to_path_buf(), source };
    let repaired = match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(fail(error)),
    };
    let listener = UnixListener::bind(path).map_err(fail)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
    Ok(Bound { listener, path: path.to_path_buf(), repaired, _lock: lock })
}

/// Wait for the lock, unless an engine answers on `socket` meanwhile.
fn take_lock(lock: &Path, socket: &Path) -> Result<File, BindError> {
    let fail = |source| BindError::Io { path: lock.to_path_buf(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock).map_err(fail)?;
    for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if UnixStream::connect(socket).is_ok() {
            return Err(BindError::AlreadyRunning { path: socket.to_path_buf() });
        }
        std::thread::sleep(POLL);
    }
    Err(BindError::Stuck { path: lock.to_path_buf() })
}

#[cfg(test)]
mod tests;
