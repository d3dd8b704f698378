//! Where a project lives, and where the engine listens: the rules that client and engine must
//! agree on. Pure: what the environment says comes in as arguments.

use std::path::{Path, PathBuf};

/// The name of a project's directory.
pub const PROJECT_DIR_NAME: &str = ".luthier";

/// The engine's socket inside its runtime directory.
pub const SOCKET_FILE_NAME: &str = "engine.sock";

/// Held (`flock`, exclusive) by the engine as long as it lives. Whoever holds it may remove a
/// socket that lies beside it: nobody can be listening there.
pub const LOCK_FILE_NAME: &str = "engine.lock";

/// Held (`flock`, exclusive) by a client while it starts an engine, so that two do not start two.
pub const SPAWN_LOCK_FILE_NAME: &str = "spawn.lock";

/// The engine's standard error, for people.
pub const LOG_FILE_NAME: &str = "engine.log";

/// Longest path of a unix socket: `sun_path` has 108 bytes on Linux, one of them the final NUL.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The project of `from`: the nearest ancestor that has a `.luthier/`, else `from` itself.
pub fn project_root(from: &Path) -> PathBuf {
    from.ancestors().find(|dir| dir.join(PROJECT_DIR_NAME).is_dir()).unwrap_or(from).to_path_buf()
}

/// What the socket's place depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeEnv {
    /// `LUTHIER_RUNTIME_DIR`: the directory itself.
    pub luthier_runtime_dir: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: the account's private directory; `luthier/` is made inside.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// Where a private directory can always be made with a short path: `/tmp`.
    pub temp_dir: PathBuf,
    /// The account's numeric id.
    pub uid: u32,
}

/// The engine's directory: `LUTHIER_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/luthier`, else
/// `/tmp/luthier-<uid>`.
///
/// A directory whose socket path would exceed [`MAX_SOCKET_PATH_BYTES`] is replaced by
/// `/tmp/luthier-<uid>/<hash of the long path>`: still one engine per directory asked for. A
/// relative or missing `XDG_RUNTIME_DIR` counts as absent, as the XDG specification wants it.
///
/// The directory must be passed through [`crate::private_dir::ensure`] before it is used.
pub fn runtime_dir(env: &RuntimeEnv) -> PathBuf {
    let private_temp = env.temp_dir.join(format!("luthier-{}", env.uid));
    let xdg = env.xdg_runtime_dir.as_ref().filter(|dir| dir.is_absolute() && dir.is_dir());
    let wanted = match (&env.luthier_runtime_dir, xdg) {
        (Some(dir), _) if !dir.as_os_str().is_empty() => absolute(dir),
        (_, Some(dir)) => dir.join("luthier"),
        _ => return private_temp,
    };
    if wanted.join(SOCKET_FILE_NAME).as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        wanted
    } else {
        private_temp.join(format!("{:016x}", fnv1a(wanted.as_os_str().as_encoded_bytes())))
    }
}

/// The engine's socket. See [`runtime_dir`].
pub fn socket_path(env: &RuntimeEnv) -> PathBuf {
    runtime_dir(env).join(SOCKET_FILE_NAME)
}

fn absolute(dir: &Path) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf())
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): names a directory, protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;
