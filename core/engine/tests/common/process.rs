//! The engine's own binary, in a runtime directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Client;

pub struct EngineProcess {
    pub child: Child,
    pub socket: PathBuf,
    /// Kept with the process: dropping removes it.
    runtime: Option<tempfile::TempDir>,
}

/// The binary with an environment of its own; nothing of the developer's machine shines through.
pub fn command(runtime: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luthier-engine"));
    command
        .env_clear()
        .env("HOME", runtime)
        .env("XDG_CACHE_HOME", runtime.join("cache"))
        .env("LUTHIER_RUNTIME_DIR", runtime.join("run"))
        // No test of the engine alone asks the network.
        .env("LUTHIER_OFFLINE", "1")
        .stdin(Stdio::null());
    command
}

impl EngineProcess {
    pub fn start() -> EngineProcess {
        let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
        let mut engine = EngineProcess::start_in(runtime.path(), "600");
        engine.runtime = Some(runtime);
        engine
    }

    pub fn start_in(runtime: &Path, idle_s: &str) -> EngineProcess {
        let child = command(runtime).env("LUTHIER_IDLE_S", idle_s).spawn().unwrap();
        let socket = runtime.join("run/engine.sock");
        let engine = EngineProcess { child, socket, runtime: None };
        engine.wait_until_listening();
        engine
    }

    fn wait_until_listening(&self) {
        let patience = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&self.socket).is_err() {
            assert!(Instant::now() < patience, "the engine does not listen on {:?}", self.socket);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn client(&self, project: &Path) -> Client {
        Client::connect(&self.socket, project)
    }

    /// SIGKILL, as the out-of-memory killer does it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < patience, "the engine does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
