//! Where the engine is: arguments first, then the environment, then the well-known places.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use luthier_protocol::paths::{self, RuntimeEnv};

/// Name of the engine's program.
const ENGINE_PROGRAM: &str = "luthier-engine";

/// How to find or start the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The engine's program; `LUTHIER_ENGINE`, a sibling of this program, or `PATH` if absent.
    pub engine_binary: Option<PathBuf>,
    /// Directory of the engine's socket; by [`paths::runtime_dir`] if absent.
    pub runtime_dir: Option<PathBuf>,
    /// The project that requests are about; made absolute, and its nearest `.luthier/` is sought.
    pub project_dir: PathBuf,
    /// Seconds without work after which an engine started from here ends; its own default if absent.
    pub idle_s: Option<u64>,
    /// How long an engine may take until it answers.
    pub start_timeout: Duration,
}

impl ConnectOptions {
    /// The usual places, for the project at or above `project_dir`.
    pub fn from_env(project_dir: impl Into<PathBuf>) -> Self {
        ConnectOptions {
            engine_binary: None,
            runtime_dir: None,
            project_dir: project_dir.into(),
            idle_s: None,
            start_timeout: Duration::from_secs(30),
        }
    }

    /// The project's directory, absolute.
    pub(crate) fn project_root(&self) -> PathBuf {
        let dir = std::path::absolute(&self.project_dir).unwrap_or_else(|_| self.project_dir.clone());
        paths::project_root(&dir.canonicalize().unwrap_or(dir))
    }

    /// The directory that holds the socket. Not yet made, not yet checked.
    pub fn resolved_runtime_dir(&self) -> PathBuf {
        paths::runtime_dir(&RuntimeEnv {
            luthier_runtime_dir: self.runtime_dir.clone().or_else(|| env_path("LUTHIER_RUNTIME_DIR")),
            xdg_runtime_dir: env_path("XDG_RUNTIME_DIR"),
            temp_dir: PathBuf::from("/tmp"),
            uid: effective_uid(),
        })
    }

    /// The engine's program, and whether it exists is the caller's to see.
    pub(crate) fn resolved_engine_binary(&self) -> PathBuf {
        if let Some(path) = self.engine_binary.clone().or_else(|| env_path("LUTHIER_ENGINE")) {
            return path;
        }
        sibling_engine().unwrap_or_else(|| PathBuf::from(ENGINE_PROGRAM))
    }
}

fn env_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Beside this program, or one directory up: test programs lie in `deps/`.
fn sibling_engine() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.ancestors().skip(1).take(2).map(|dir| dir.join(ENGINE_PROGRAM)).find(|path| is_file(path))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// The account's numeric id, without a system call of our own: the owner of this process's
/// directory in `/proc`, else of a file just made.
pub fn effective_uid() -> u32 {
    if let Ok(metadata) = std::fs::metadata("/proc/self") {
        return metadata.uid();
    }
    let probe = std::env::temp_dir().join(format!("luthier-uid-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    let uid = made.and_then(|file| file.metadata()).map_or(u32::MAX, |metadata| metadata.uid());
    let _ = std::fs::remove_file(&probe);
    uid
}
