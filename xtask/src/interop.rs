//! `cargo xtask interop`: the same weights through PyTorch, transformers and PEFT, and through us.
//!
//! Not part of `test`: it installs several gigabytes from PyPI into `target/interop/venv`, and builds llama.cpp
//! there (llama-cpp-python has no wheels on PyPI; it needs a C++ compiler). `LUTHIER_INTEROP_VENV` names a
//! virtual environment that has them already.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::python::Venv;
use crate::{guests, shell};

const REQUIREMENTS: &[&str] = &["torch", "transformers", "peft", "safetensors", "numpy", "gguf", "llama-cpp-python"];

const BUILD: [&str; 9] =
    ["build", "--locked", "--bins", "-p", "luthier-kernel", "-p", "luthier-engine", "-p", "luthier-tests"];

pub(crate) fn run(args: &[String]) -> Result<()> {
    let only_plugins = match args {
        [] => false,
        [word] if word == "plugins" => true,
        _ => bail!("usage: cargo xtask interop [plugins]"),
    };
    shell::step("build", || shell::run(shell::cargo().args(BUILD)))?;
    let work = shell::root().join("target/interop");
    std::fs::create_dir_all(&work)?;
    shell::step("plugins", || plugins(&work))?;
    if only_plugins {
        return Ok(());
    }
    let mut venv = None;
    shell::step("install", || {
        venv = Some(Venv::given_or("LUTHIER_INTEROP_VENV", &work.join("venv"), REQUIREMENTS)?);
        Ok(())
    })?;
    let Some(venv) = venv else { bail!("the install step made no environment") };
    shell::step("compare", || {
        shell::run(
            venv.command()
                .arg(shell::root().join("tests/oracles/interop.py"))
                .arg(work.join("work"))
                .env("LUTHIER", shell::binary("luthier"))
                .env("LUTHIER_LOGITS", shell::binary("logits"))
                .env("LUTHIER_PICO", shell::root().join("core/engine/assets/pico"))
                .env("HF_HUB_OFFLINE", "1"),
        )
    })?;
    shell::step("hub", || {
        shell::run(
            venv.command()
                .arg(shell::root().join("tests/oracles/interop_hub.py"))
                .arg(work.join("hub"))
                .env("LUTHIER", shell::binary("luthier"))
                .env("LUTHIER_HUB_SERVER", shell::binary("hub_server"))
                .env("LUTHIER_PICO", shell::root().join("core/engine/assets/pico")),
        )
    })
    .map(drop)
}

/// Plugins that strangers build against `wit/` alone, and Debian's registry. Needs clang for the one in C.
fn plugins(work: &Path) -> Result<()> {
    guests::python()?;
    let python = shell::target_dir().join("guest-python/venv/bin");
    shell::run(
        Command::new(python.join("python3"))
            .arg(shell::root().join("tests/oracles/interop_plugins.py"))
            .arg(work.join("plugins"))
            .env("LUTHIER", shell::binary("luthier"))
            .env("LUTHIER_WIT", shell::root().join("wit"))
            .env("COMPONENTIZE_PY", python.join("componentize-py"))
            .env("DOCKER_REGISTRY", docker_registry(&work.join("docker-registry"))?),
    )
}

/// Debian's package (5 MB), unpacked without root.
fn docker_registry(directory: &Path) -> Result<PathBuf> {
    let program = directory.join("root/usr/bin/docker-registry");
    if program.exists() {
        return Ok(program);
    }
    std::fs::create_dir_all(directory)?;
    shell::run(Command::new("apt-get").current_dir(directory).args(["download", "docker-registry"]))?;
    let packages = std::fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let package = packages.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("apt-get downloaded nothing")?;
    shell::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(directory.join("root")))?;
    Ok(program)
}
