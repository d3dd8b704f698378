//! Virtual environments for the tools that only exist in Python: Jupyter's clients and oracles.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// A virtual environment that belongs to one purpose.
pub(crate) struct Venv {
    /// Its directory.
    pub(crate) dir: PathBuf,
}

impl Venv {
    /// The environment that `variable` names, as it is; without the variable, [`ensure`](Self::ensure)'s.
    pub(crate) fn given_or(variable: &str, dir: &Path, requirements: &[&str]) -> Result<Venv> {
        let Some(given) = std::env::var_os(variable) else { return Venv::ensure(dir, requirements) };
        let venv = Venv { dir: shell::root().join(given) };
        if !venv.python().is_file() {
            bail!("{variable} is {}, which has no bin/python", venv.dir.display());
        }
        shell::say(&format!("   {variable}: {}", venv.dir.display()));
        Ok(venv)
    }

    /// Create it, or reuse it if `requirements` are what it was made with.
    pub(crate) fn ensure(dir: &Path, requirements: &[&str]) -> Result<Venv> {
        let venv = Venv { dir: dir.to_path_buf() };
        let stamp = dir.join("luthier-requirements.txt");
        let wanted = requirements.join("\n");
        if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) && venv.python().is_file() {
            return Ok(venv);
        }
        std::fs::create_dir_all(dir.parent().context("a virtual environment needs a parent directory")?)?;
        create(dir)?;
        shell::say(&format!("   installing from PyPI: {}", requirements.join(" ")));
        shell::run(
            Command::new(venv.python())
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(requirements),
        )?;
        std::fs::write(&stamp, wanted)?;
        Ok(venv)
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.dir.join("bin/python")
    }

    /// Its interpreter as a command, with the environment first on `PATH`.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.python());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.dir.join("bin").display()));
        command.env("VIRTUAL_ENV", &self.dir);
        // Only this environment's kernels: a user's own must not stand in for ours.
        command.env("JUPYTER_PATH", self.dir.join("share/jupyter"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// `python3 -m venv`, installing Debian's package for it when it is missing and we may.
fn create(dir: &Path) -> Result<()> {
    let make = || Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir).output();
    let first = make().context("python3 is needed; on Debian: apt-get install python3 python3-venv")?;
    if first.status.success() {
        return Ok(());
    }
    shell::say("   python3 cannot make virtual environments; installing Debian's python3-venv");
    let installed = Command::new("apt-get")
        .args(["install", "--yes", "--quiet", "python3-venv", "python3-pip"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .is_ok_and(|status| status.success());
    if installed && make()?.status.success() {
        return Ok(());
    }
    bail!(
        "python3 -m venv failed:\n{}\n(as root on Debian: apt-get install python3-venv)",
        String::from_utf8_lossy(&first.stderr)
    )
}
