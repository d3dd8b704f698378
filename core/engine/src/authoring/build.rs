//! A folder's source into one file: the component with its golden cases, text and licence inside.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use luthier_plugin_build::toolchain::Build;
use luthier_plugin_build::{Toolchain, sections};
use serde::Deserialize;
use serde_json::json;

use super::languages::Language;
use crate::Error;
use crate::files::read_text;

const MAX_TEXT_BYTES: u64 = 1 << 20;
/// Lines of a compiler's output that an error shows.
const LOG_LINES: usize = 60;
/// Between two looks at a compiler.
const POLL: Duration = Duration::from_millis(20);

/// A built plugin.
#[derive(Debug)]
pub(crate) struct Built {
    /// The component.
    pub(crate) component: Vec<u8>,
    /// Its file, in the folder.
    pub(crate) path: PathBuf,
    /// The toolchain, in words.
    pub(crate) toolchain: String,
}

/// Who is told of a build, and who may end it.
pub(crate) struct Job<'a> {
    /// Told what is being done.
    pub(crate) say: &'a mut dyn FnMut(&str),
    /// Ends the build when it becomes true.
    pub(crate) cancel: Option<&'a AtomicBool>,
}

impl Job<'_> {
    /// A build that nobody watches.
    pub(crate) fn quiet<R>(work: impl FnOnce(&mut Job<'_>) -> R) -> R {
        work(&mut Job { say: &mut |_| {}, cancel: None })
    }
}

/// Whether a folder holds a plugin's source.
pub(crate) fn is_source(path: &Path) -> bool {
    path.is_dir() && Language::of(path).is_some()
}

/// Builds the folder, if anything has changed, into `<folder>/<name>.wasm`. Toolchains and
/// intermediate files lie in `build_dir`.
pub(crate) fn build(folder: &Path, build_dir: &Path, job: &mut Job<'_>) -> Result<Built, Error> {
    let language = Language::of(folder).ok_or_else(|| {
        let expected = "a folder with Cargo.toml, plugin.c, plugin.py or plugin.js";
        Error::invalid("the plugin's folder", folder.display(), expected)
    })?;
    std::fs::create_dir_all(build_dir).map_err(|source| Error::io("make", build_dir, source))?;
    let (bytes, toolchain) = match language {
        Language::Rust => rust(folder, build_dir, job)?,
        other => super::languages::build(other, folder, build_dir, job)?,
    };
    let text = |name: &str| {
        let path = folder.join(name);
        path.exists().then(|| read_text(&path, MAX_TEXT_BYTES)).transpose()
    };
    let about = about(folder)?;
    let component = sections::package(&bytes, &about, text("golden.jsonl")?.as_deref(), text("README.md")?.as_deref())?;
    let path = folder.join(format!("{}.wasm", name_of(folder)));
    luthier_data::atomic::write(&path, &component).map_err(|source| Error::io("write", &path, source))?;
    Ok(Built { component, path, toolchain })
}

/// The folder's name.
pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[derive(Debug, Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    license: String,
    #[serde(default)]
    authors: Vec<String>,
    #[serde(default)]
    homepage: String,
}

fn manifest(folder: &Path) -> Result<Option<Package>, Error> {
    let path = folder.join("Cargo.toml");
    if !path.exists() {
        return Ok(None);
    }
    let text = read_text(&path, MAX_TEXT_BYTES)?;
    let parsed: Result<Manifest, _> = toml::from_str(&text);
    let stored =
        |error: toml::de::Error| Error::Stored { path, expected: "a crate's manifest", found: error.to_string() };
    Ok(Some(parsed.map_err(stored)?.package))
}

/// From `Cargo.toml`, or from `plugin.toml` with the same keys at its top.
fn about(folder: &Path) -> Result<String, Error> {
    let own = folder.join("plugin.toml");
    let package = match manifest(folder)? {
        Some(package) => package,
        None if own.exists() => {
            let parsed: Result<Package, _> = toml::from_str(&read_text(&own, MAX_TEXT_BYTES)?);
            let stored = |error: toml::de::Error| Error::Stored {
                path: own,
                expected: "name and license",
                found: error.to_string(),
            };
            parsed.map_err(stored)?
        }
        None => return Ok("{}".to_owned()),
    };
    Ok(json!({ "license": package.license, "authors": package.authors, "homepage": package.homepage }).to_string())
}

fn rust(folder: &Path, build_dir: &Path, job: &mut Job<'_>) -> Result<(Vec<u8>, String), Error> {
    let toolchain = Toolchain::find(&build_dir.join("toolchain"), job.say)?;
    (job.say)(&format!("building with {} (the first build also builds the standard library)", toolchain.name()));
    // One for all: the standard library and the SDK are built once.
    let target_dir = build_dir.join("target");
    let folder = std::path::absolute(folder).map_err(|source| Error::io("find", folder, source))?;
    let Some(package) = manifest(&folder)? else {
        return Err(Error::invalid("the plugin's folder", folder.display(), "a folder with Cargo.toml"));
    };
    let mut command =
        toolchain.cargo_build(Build { root: &folder, target_dir: &target_dir, packages: &[], locked: false });
    run(&folder, &mut command, job.cancel)?;
    let bytes = crate::plugins::read_component(&Toolchain::artifact(&target_dir, &package.name))?;
    Ok((bytes, toolchain.name().to_owned()))
}

/// Runs a compiler; what it says is the error's text if it fails. Whoever interrupts ends it with all that it started.
pub(super) fn run(folder: &Path, command: &mut Command, cancel: Option<&AtomicBool>) -> Result<(), Error> {
    use std::os::unix::process::CommandExt;
    let program = PathBuf::from(command.get_program());
    let io = |action: &'static str| {
        let program = program.clone();
        move |source| Error::io(action, &program, source)
    };
    let mut log = tempfile::tempfile().map_err(io("make a log for"))?;
    let (out, err) = (log.try_clone().map_err(io("log"))?, log.try_clone().map_err(io("log"))?);
    let command = command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    let mut child = command.spawn().map_err(io("start"))?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(io("wait for"))? {
            break status;
        }
        if cancel.is_some_and(|cancel| cancel.load(Ordering::SeqCst)) {
            if let Some(group) = rustix::process::Pid::from_raw(child.id() as i32) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait();
            return Err(Error::Interrupted { saved: "while a plugin was being built".to_owned(), advice: None });
        }
        std::thread::sleep(POLL);
    };
    if status.success() {
        return Ok(());
    }
    let mut said = Vec::new();
    log.seek(SeekFrom::Start(0)).and_then(|_| log.take(MAX_TEXT_BYTES).read_to_end(&mut said)).map_err(io("read"))?;
    let said = String::from_utf8_lossy(&said);
    // From the first error on; what was compiled before it is of no use.
    let lines: Vec<&str> = said.lines().collect();
    let start = lines.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let log = lines.iter().skip(start).take(LOG_LINES).copied().collect::<Vec<_>>().join("\n");
    Err(Error::Build { path: folder.to_path_buf(), log })
}
