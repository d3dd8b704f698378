//! Running other programs, and saying so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask lies in the repository").to_path_buf()
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR`, else `target/` in the clone.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A binary of this workspace, as `cargo build --workspace --bins` leaves it.
pub(crate) fn binary(name: &str) -> PathBuf {
    target_dir().join("debug").join(name)
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Run to the end; a non-zero exit is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Run and return standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?} ended with {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(String::from_utf8(out.stdout)?)
}

/// Announce a step, do it, and say how long it took. Returns the seconds.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    say(&format!("== {name}"));
    let start = Instant::now();
    work().with_context(|| format!("step `{name}` failed"))?;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!("== {name}: ok in {seconds:.1} s"));
    Ok(seconds)
}

/// The one place that prints to standard output.
#[allow(clippy::print_stdout, reason = "this is the command line's output")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
