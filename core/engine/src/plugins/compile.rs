//! Compiling a stranger's component in a process that may be killed: wasmtime holds that a component
//! which takes long to compile is no fault of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use luthier_plugin_host::{Host, HostConfig};

use crate::Error;
use crate::clock::Clock;

/// Time of one compilation. CPython's 18 MB take half a minute on a busy laptop.
const LIMIT: Duration = Duration::from_secs(180);
/// Processor time of the child, all threads together.
const CPU_SECONDS: u64 = 300;
/// Address space of the child.
const MEMORY_BYTES: u64 = 4 << 30;
/// Between two looks at the child.
const POLL: Duration = Duration::from_millis(10);
/// What is shown of the child's last words.
const MAX_WORDS: usize = 500;

/// `luthier-engine compile-plugin COMPONENT CACHE`: limits this process, then compiles into the cache.
pub fn compile_plugin(component: &Path, cache: &Path) -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    for (resource, limit) in [(Resource::As, MEMORY_BYTES), (Resource::Cpu, CPU_SECONDS), (Resource::Core, 0)] {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit)
            .map_err(|error| Error::Compile { finding: format!("cannot be limited: {error}") })?;
    }
    let bytes = super::read_component(component)?;
    let host = Host::new(HostConfig { cache_dir: Some(cache.to_path_buf()), ..HostConfig::default() })?;
    Ok(host.precompile(&bytes)?)
}

/// Compiles these bytes into `cache` in a child of this process. Where this process is not the engine's own binary
/// (a test, another program that uses this library) there is no child to start, and the host compiles itself later.
pub(super) fn in_a_child(bytes: &[u8], cache: &Path) -> Result<(), Error> {
    let exe = std::env::current_exe().map_err(|source| Error::io("find", Path::new("luthier-engine"), source))?;
    let is_engine = exe.file_name().is_some_and(|name| name.to_string_lossy().starts_with("luthier-engine"));
    // A test binary of this crate is called luthier_engine-<hash>.
    if !is_engine {
        return Ok(());
    }
    let file = tempfile::Builder::new().prefix("plugin-").suffix(".wasm").tempfile();
    let file = file.map_err(|source| Error::io("make", &std::env::temp_dir(), source))?;
    std::io::Write::write_all(&mut file.as_file(), bytes).map_err(|source| Error::io("write", file.path(), source))?;
    let child = Command::new(&exe)
        .arg("compile-plugin")
        .arg(file.path())
        .arg(cache)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| Error::io("start", &exe, source))?;
    wait(child)
}

fn wait(mut child: std::process::Child) -> Result<(), Error> {
    let stopwatch = Clock::system().stopwatch();
    loop {
        let failed = |finding: String| Error::Compile { finding };
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let mut words = String::new();
                if let Some(mut stderr) = child.stderr.take() {
                    let _ = std::io::Read::read_to_string(&mut stderr, &mut words);
                }
                let words: String =
                    words.trim().trim_start_matches("luthier-engine: ").chars().take(MAX_WORDS).collect();
                return Err(failed(format!("failed ({status}): {words}")));
            }
            Ok(None) if stopwatch.seconds() > LIMIT.as_secs_f64() => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("took more than {} s", LIMIT.as_secs())));
            }
            Ok(None) => std::thread::sleep(POLL),
            Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
        }
    }
}
