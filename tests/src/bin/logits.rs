//! `logits MODEL [--adapter DIR] ID…` (a directory or a GGUF file): the logits of every position as JSON, for comparison
//! with another implementation (`cargo xtask interop`).

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1).peekable();
    let dir = PathBuf::from(args.next().context("usage: logits MODEL_DIR [--adapter DIR] ID…")?);
    let mut adapter_dir = None;
    if args.peek().is_some_and(|arg| arg == "--adapter") {
        args.next();
        adapter_dir = Some(PathBuf::from(args.next().context("--adapter needs a directory")?));
    }
    let ids = args.map(|id| Ok(id.parse::<u32>()?)).collect::<Result<Vec<u32>>>()?;
    let model = load(&dir)?;
    let adapter = adapter_dir.map(|dir| luthier_model::Adapter::load(&dir, &model)).transpose()?;
    let logits = luthier_model::logits(&model, adapter.as_ref(), &ids, &AtomicBool::new(false))?;
    let rows: Vec<&[f32]> = logits.chunks(model.config().vocab_size).collect();
    serde_json::to_writer(std::io::stdout().lock(), &rows)?;
    Ok(())
}

fn load(path: &std::path::Path) -> Result<luthier_model::Model> {
    if path.is_dir() {
        return Ok(luthier_model::Model::load(path)?);
    }
    let dir = tempfile::tempdir()?;
    luthier_model::gguf::unpack(path, dir.path())?;
    std::os::unix::fs::symlink(path.canonicalize()?, dir.path().join("model.gguf"))?;
    Ok(luthier_model::Model::load(dir.path())?)
}
