//! House rules that no other tool checks (STYLE.md). Each rule reads tracked files only.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use crate::shell;

/// Rust files are split at 400 lines and never pass this.
const MAX_LINES: usize = 800;
/// What the built-in model may weigh, all files together.
const MAX_PICO_BYTES: u64 = 8_000_000;
const PICO_DIR: &str = "core/engine/assets/pico";

/// A tracked text file.
struct File {
    path: String,
    text: String,
}

pub(crate) fn run() -> Result<()> {
    let root = shell::root();
    let files = tracked(&root)?;
    let mut problems = Vec::new();
    for file in &files {
        check_file(file, &mut problems);
    }
    check_documents(&root, &files, &mut problems);
    check_digests(&root, &mut problems)?;
    check_pico(&root, &mut problems)?;
    if problems.is_empty() {
        shell::say(&format!("tidy: {} files keep to the rules", files.len()));
        return Ok(());
    }
    bail!("{}", problems.join("\n"))
}

fn tracked(root: &Path) -> Result<Vec<File>> {
    let names = shell::output(Command::new("git").args(["ls-files", "-z"]).current_dir(root))?;
    let read = |path: &str| Some(File { path: path.to_owned(), text: std::fs::read_to_string(root.join(path)).ok()? });
    Ok(names.split('\0').filter(|name| !name.is_empty()).filter_map(read).collect())
}

/// Rules about one file.
fn check_file(file: &File, problems: &mut Vec<String>) {
    let File { path, text } = file;
    // Snapshots show what people read, white space included.
    let holds_snapshots = path.ends_with(".snap") || path.ends_with("tests.rs");
    if text.lines().any(|line| line.ends_with(' ') || line.ends_with('\t')) && !holds_snapshots {
        problems.push(format!("{path}: a line ends in white space"));
    }
    // Chat templates are the publishers' own bytes, by their SHA-256.
    let may_lack_newline = [".json", ".ipynb", ".jinja"].iter().any(|end| path.ends_with(end));
    if !text.is_empty() && !text.ends_with('\n') && !may_lack_newline {
        problems.push(format!("{path}: no newline at the end"));
    }
    if path.ends_with(".rs") {
        check_rust(path, text, problems);
    }
    if path.ends_with(".ipynb") {
        check_notebook(path, text, problems);
    }
}

fn check_rust(path: &str, text: &str, problems: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > MAX_LINES {
        problems.push(format!("{path}: {lines} lines; split at 400, never past {MAX_LINES}"));
    }
    if text.contains("\nmod tests {") {
        problems.push(format!("{path}: unit tests live in a sibling tests.rs, not inside the module"));
    }
    if !text.starts_with("//!") && !path.ends_with("tests.rs") && !path.contains("/tests/") && lines > 20 {
        problems.push(format!("{path}: a module starts with what it is for (`//!`)"));
    }
    for (number, line) in text.lines().enumerate() {
        let allowed = path.starts_with("xtask/") || path.contains("tests") || path.contains("/examples/");
        if line.contains(".expect(\"\")") || (line.contains("#[ignore") && !allowed) {
            problems.push(format!("{path}:{}: an ignored test or an empty expectation", number + 1));
        }
    }
}

/// A published notebook carries its outputs, and no error among them.
fn check_notebook(path: &str, text: &str, problems: &mut Vec<String>) {
    let Ok(notebook) = serde_json::from_str::<serde_json::Value>(text) else {
        problems.push(format!("{path}: not JSON"));
        return;
    };
    for (number, cell) in notebook["cells"].as_array().into_iter().flatten().enumerate() {
        for output in cell["outputs"].as_array().into_iter().flatten() {
            if output["output_type"] == "error" {
                problems.push(format!("{path}: cell {} was saved with an error", number + 1));
            }
        }
    }
}

/// The documents that a reader expects, and paths that they name.
fn check_documents(root: &Path, files: &[File], problems: &mut Vec<String>) {
    let wanted = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "STYLE.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ];
    for name in wanted {
        let Some(file) = files.iter().find(|file| file.path == name) else {
            problems.push(format!("{name}: missing"));
            continue;
        };
        for path in named_paths(&file.text) {
            if !root.join(&path).exists() {
                problems.push(format!("{name}: names `{path}`, which is not there"));
            }
        }
    }
    let changelog = files.iter().find(|file| file.path == "CHANGELOG.md");
    if changelog.is_some_and(|file| !file.text.contains("## Unreleased")) {
        problems.push("CHANGELOG.md: no `## Unreleased` heading".into());
    }
    check_unsafe_list(files, problems);
}

/// Paths in back-ticks that begin with one of our top-level folders.
fn named_paths(text: &str) -> Vec<String> {
    let folders = ["core/", "kernel/", "plugins/", "wit/", "notebooks/", "tests/", "benches/", "xtask/", "docs/"];
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| folders.iter().any(|folder| quoted.starts_with(folder)))
        .filter(|quoted| !quoted.contains(['*', '<', ' ', '{']))
        .map(|quoted| quoted.trim_end_matches('/').to_owned())
        .collect()
}

/// Every module that may be unsafe is listed in SECURITY.md.
fn check_unsafe_list(files: &[File], problems: &mut Vec<String>) {
    let security = files.iter().find(|file| file.path == "SECURITY.md").map_or("", |file| &file.text);
    let marker = ["allow(", "unsafe_code"].concat();
    for file in files.iter().filter(|file| file.path.ends_with(".rs") && file.text.contains(&marker)) {
        if !security.contains(&file.path) {
            problems.push(format!("{}: allows unsafe code but is not listed in SECURITY.md", file.path));
        }
    }
}

/// Committed components are the ones that the digest file names.
fn check_digests(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let path = root.join("plugins/digests.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        problems.push("plugins/digests.json: missing; run `cargo xtask guests`".into());
        return Ok(());
    };
    let digests: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)?;
    for (name, entry) in &digests {
        let component = entry["path"].as_str().unwrap_or(name).to_owned();
        let found = std::fs::read(root.join(&component)).map(|bytes| hex(&Sha256::digest(bytes)));
        match (found, entry["sha256"].as_str()) {
            (Ok(found), Some(wanted)) if found == wanted.trim_start_matches("sha256:") => {}
            (Ok(found), wanted) => {
                problems.push(format!("{component}: sha256 {found}, digests.json says {}", wanted.unwrap_or("nothing")))
            }
            (Err(error), _) => problems.push(format!("{component}: {error}")),
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_pico(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(root.join(PICO_DIR))? {
        bytes += entry?.metadata()?.len();
    }
    if bytes > MAX_PICO_BYTES {
        problems.push(format!("{PICO_DIR}: {bytes} bytes, at most {MAX_PICO_BYTES}"));
    }
    Ok(())
}
