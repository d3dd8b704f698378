//! A GGUF file as a model directory, so that nothing else has to know the format: its metadata as
//! `config.json` and `tokenizer.json`, and a link to the file as `model.gguf`.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use luthier_model::gguf;

use crate::Error;

/// Files that stand for a tokenizer that the GGUF file's metadata does not give.
const TOKENIZER_FILES: [&str; 4] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];

/// Whether a path is a GGUF file's.
pub(super) fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) && path.is_file()
}

/// The directory of `file` below `cache`; made when it is first asked for, and again when the file
/// has changed.
pub(super) fn directory(cache: &Path, file: &Path) -> Result<PathBuf, Error> {
    let fail = |source| Error::io("read", file, source);
    let file = file.canonicalize().map_err(fail)?;
    let metadata = std::fs::metadata(&file).map_err(|source| Error::io("read", &file, source))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let identity = format!("{}\n{}\n{}\n{FORMAT}", file.display(), metadata.len(), modified.as_nanos());
    let hash = crate::hash::parts([identity.as_bytes()]);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let parent = cache.join("gguf");
    let target = parent.join(format!("{stem}-{}", crate::hash::short(&hash)));
    if target.join("model.gguf").is_file() {
        return Ok(target);
    }
    std::fs::create_dir_all(&parent).map_err(|source| Error::io("make", &parent, source))?;
    let temporary = tempfile::Builder::new()
        .prefix(".unpack-")
        .tempdir_in(&parent)
        .map_err(|source| Error::io("make a directory in", &parent, source))?;
    if let Some(reason) = gguf::unpack(&file, temporary.path())? {
        tokenizer_beside(&file, temporary.path(), &reason)?;
    }
    let link = temporary.path().join("model.gguf");
    std::os::unix::fs::symlink(&file, &link).map_err(|source| Error::io("link", &link, source))?;
    match std::fs::rename(temporary.path(), &target) {
        // Another engine was faster.
        Err(_) if target.join("model.gguf").is_file() => {}
        outcome => outcome.map_err(|source| Error::io("make", &target, source))?,
    }
    Ok(target)
}

/// Raised when the same file unpacks to something else.
const FORMAT: u32 = 1;

fn tokenizer_beside(file: &Path, dir: &Path, reason: &str) -> Result<(), Error> {
    let beside = file.parent().unwrap_or(Path::new("."));
    if !beside.join("tokenizer.json").is_file() {
        let what = format!("the tokenizer of {}", file.display());
        let expected = "one that is known, or tokenizer.json in the same directory";
        return Err(Error::invalid(&what, format!("not usable: {reason}"), expected));
    }
    for name in TOKENIZER_FILES {
        let source = beside.join(name);
        if source.is_file() {
            std::fs::copy(&source, dir.join(name)).map_err(|error| Error::io("copy", &source, error))?;
        }
    }
    Ok(())
}
