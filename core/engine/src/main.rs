//! The engine's process. Reads the environment, nothing else does.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use luthier_engine::clock::Clock;
use luthier_engine::config::EngineConfig;
use luthier_engine::engine::Engine;
use luthier_engine::hub::HubSettings;
use luthier_engine::{os, server};
use luthier_protocol::paths::{self, RuntimeEnv};

const USAGE: &str = "\
luthier-engine: owns the device, models, runs and datasets; started by luthier on demand

usage: luthier-engine [--socket PATH]   listen on a unix socket in a private directory
       luthier-engine --stdio           speak the same protocol over standard input and output
       luthier-engine --version

environment: LUTHIER_RUNTIME_DIR, XDG_RUNTIME_DIR, LUTHIER_IDLE_S (1800), XDG_CACHE_HOME; for the Hugging Face
hub HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, LUTHIER_OFFLINE";

/// How long a run may take to write its checkpoint after SIGTERM. Slurm sends SIGKILL 30 s later.
const CHECKPOINT_LIMIT: Duration = Duration::from_secs(25);

enum Mode {
    Socket(PathBuf),
    Stdio,
    Print(String),
    /// Compile one plugin into a cache, within limits, and end.
    CompilePlugin {
        component: PathBuf,
        cache: PathBuf,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("luthier-engine: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let config = config()?;
    match parse(std::env::args().skip(1))? {
        Mode::Print(text) => print_out(&text),
        Mode::CompilePlugin { component, cache } => Ok(luthier_engine::compile_plugin(&component, &cache)?),
        Mode::Socket(path) => listen(config, &path),
        Mode::Stdio => speak(config),
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Mode> {
    let mode = match arguments.next().as_deref() {
        None => Mode::Socket(paths::socket_path(&runtime_env())),
        Some("--socket") => Mode::Socket(arguments.next().context("--socket needs a path")?.into()),
        Some("--stdio") => Mode::Stdio,
        Some("--version" | "-V") => Mode::Print(format!("luthier-engine {}", env!("CARGO_PKG_VERSION"))),
        // Not in the usage text: the engine starts itself with it.
        Some("compile-plugin") => Mode::CompilePlugin {
            component: arguments.next().context("compile-plugin needs a component")?.into(),
            cache: arguments.next().context("compile-plugin needs a cache directory")?.into(),
        },
        Some("--help" | "-h") => Mode::Print(USAGE.to_owned()),
        Some(other) => bail!("unknown argument {other:?}\n\n{USAGE}"),
    };
    match arguments.next() {
        Some(extra) => bail!("unexpected argument {extra:?}\n\n{USAGE}"),
        None => Ok(mode),
    }
}

/// Serve whoever connects, until nobody has for a while.
fn listen(config: EngineConfig, path: &std::path::Path) -> anyhow::Result<()> {
    let bound = match server::bind(path, os::effective_uid()) {
        Err(server::BindError::AlreadyRunning { .. }) => return Ok(()),
        bound => bound?,
    };
    if bound.repaired {
        eprintln!("luthier-engine: removed the socket of an engine that had died: {}", path.display());
    }
    let idle = config.idle;
    let engine = Engine::start(config, Clock::system())?;
    server::accept(Arc::clone(&engine), &bound)?;
    let stop = stop_signal()?;
    engine.presence().wait_until_unneeded(idle, || stop.load(Ordering::SeqCst));
    engine.stop(CHECKPOINT_LIMIT);
    Ok(())
}

/// Serve the one client behind standard input and output; a run that it leaves behind is finished.
fn speak(config: EngineConfig) -> anyhow::Result<()> {
    let engine = Engine::start(config, Clock::system())?;
    let stop = stop_signal()?;
    let own = Arc::clone(&engine);
    let present = engine.presence().connection();
    std::thread::Builder::new().name("stdio".into()).spawn(move || {
        server::serve(&own, std::io::stdin().lock(), std::io::stdout());
        drop(present);
    })?;
    engine.presence().wait_until_unneeded(Duration::ZERO, || stop.load(Ordering::SeqCst));
    engine.stop(CHECKPOINT_LIMIT);
    Ok(())
}

/// Set by SIGTERM (Slurm, systemd, `kill`), SIGINT and SIGHUP (a closed terminal or ssh session).
fn stop_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for signals")?;
    }
    Ok(stop)
}

fn config() -> anyhow::Result<EngineConfig> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut config = EngineConfig::default();
    if let Some(seconds) = variable("LUTHIER_IDLE_S") {
        let seconds = seconds.parse().with_context(|| format!("LUTHIER_IDLE_S must be seconds, it is {seconds:?}"))?;
        config.idle = Duration::from_secs(seconds);
    }
    let home = path("HOME");
    let cache = path("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()).or(home.map(|home| home.join(".cache")));
    config.cache_dir = cache.as_ref().map(|dir| dir.join("luthier"));
    config.temp_dir = std::env::temp_dir();
    config.python = python(config.cache_dir.as_deref());
    config.hub = HubSettings::from_variables(variable, cache);
    if let Some(account) = variable("USER").or(variable("LOGNAME")).filter(|name| !name.trim().is_empty()) {
        config.account = account;
    }
    if let Some(threads) = variable("RAYON_NUM_THREADS").and_then(|text| text.parse().ok()).filter(|n| *n > 0) {
        config.threads = threads;
    }
    Ok(config)
}

/// Beside this binary, else in the cache directory.
fn python(cache: Option<&std::path::Path>) -> Option<PathBuf> {
    let name = "luthier-python.wasm";
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(name)));
    beside.into_iter().chain(cache.map(|cache| cache.join(name))).find(|path| path.is_file())
}

fn runtime_env() -> RuntimeEnv {
    RuntimeEnv {
        luthier_runtime_dir: variable("LUTHIER_RUNTIME_DIR").map(PathBuf::from),
        xdg_runtime_dir: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
        temp_dir: "/tmp".into(),
        uid: os::effective_uid(),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

fn print_out(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").context("cannot write to standard output")
}
