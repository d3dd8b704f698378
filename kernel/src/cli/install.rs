//! `luthier kernel`, `luthier install`, `luthier uninstall`.

use std::path::PathBuf;

use super::{CliError, terminal};
use crate::kernelspec::{self, Prefix};

/// `luthier kernel -f CONNECTION_FILE`.
pub(super) fn kernel(arguments: &[String]) -> Result<(), CliError> {
    let path = match arguments {
        [flag, path] if flag == "-f" || flag == "--connection-file" => PathBuf::from(path),
        _ => return Err(CliError::Usage(vec!["usage: luthier kernel -f CONNECTION_FILE".into()])),
    };
    crate::server::serve(&path).map_err(CliError::failed)
}

/// `luthier install`.
pub(super) fn install(arguments: &[String]) -> Result<(), CliError> {
    let prefix = prefix("install", arguments)?;
    let dir = kernelspec::install(&prefix).map_err(CliError::failed)?;
    terminal::print_line(&format!("installed the kernel `luthier` in {}", dir.display()));
    build_prelude();
    Ok(())
}

/// Without it the first Rust cell would wait. A machine without Rust still has all command cells.
fn build_prelude() {
    let mut announced = false;
    let built = crate::rust_cell::build_prelude(&mut |_| {
        if !std::mem::replace(&mut announced, true) {
            terminal::print_line("building the prelude of Rust cells (once, a minute or so)");
        }
    });
    match built {
        Ok(()) => terminal::print_line("Rust cells are ready"),
        Err(failure) => terminal::print_line(&format!("Rust cells are not ready: {}", failure.evalue)),
    }
}

/// `luthier uninstall`.
pub(super) fn uninstall(arguments: &[String]) -> Result<(), CliError> {
    let prefix = prefix("uninstall", arguments)?;
    match kernelspec::uninstall(&prefix).map_err(CliError::failed)? {
        Some(dir) => terminal::print_line(&format!("removed {}", dir.display())),
        None => terminal::print_line("the kernel `luthier` is not installed there"),
    }
    Ok(())
}

fn prefix(command: &str, arguments: &[String]) -> Result<Prefix, CliError> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["--user"] => Ok(Prefix::User),
        ["--sys-prefix"] => Ok(Prefix::System),
        ["--prefix", dir] => Ok(Prefix::Dir(super::absolute(dir.as_ref()))),
        [one] if one.starts_with("--prefix=") => Ok(Prefix::Dir(super::absolute(one["--prefix=".len()..].as_ref()))),
        _ => Err(CliError::Usage(vec![format!("usage: luthier {command} [--user | --sys-prefix | --prefix DIR]")])),
    }
}
