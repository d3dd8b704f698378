//! pico is trained by a program of its own (`xtask/pico`): it needs the whole training stack, which
//! the other tasks should not wait for.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs `luthier-pico` with the same arguments; see its own documentation.
///
/// # Errors
/// A build that fails, or a run that does.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "-p", "luthier-pico", "--"])
        .args(args)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "pico {} failed: {status}", args.join(" "));
    Ok(())
}
