//! `cargo xtask interop`: the same weights through PyTorch, transformers and PEFT, and through us.
//!
//! Not part of `test`: it installs several gigabytes from PyPI into `target/interop/venv`, and builds llama.cpp
//! there (llama-cpp-python has no wheels on PyPI; it needs a C++ compiler).

use anyhow::{Result, bail};

use crate::python::Venv;
use crate::shell;

const REQUIREMENTS: &[&str] = &["torch", "transformers", "peft", "safetensors", "numpy", "gguf", "llama-cpp-python"];

pub(crate) fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("usage: cargo xtask interop");
    }
    shell::step("build", || shell::run(shell::cargo().args(["build", "--locked", "--workspace", "--bins"])))?;
    let work = shell::root().join("target/interop");
    let mut venv = None;
    shell::step("install", || {
        venv = Some(Venv::ensure(&work.join("venv"), REQUIREMENTS)?);
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
