//! Recipes: a cell's body in a file, with `name` inside or taken from the file's stem.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{
    cell::{self, Diagnostic, Invocation, body},
    command::Command,
};

/// On the command line this command reads a recipe. `ask` and `review` have a body too, but are all
/// flags there.
pub(super) fn takes_recipe(command: &Command) -> bool {
    command.has_body && !["ask", "review"].contains(&command.name)
}

/// The recipe's path (the first word that is no flag), and the rest as an invocation.
pub(super) fn split(
    command: &'static Command,
    arguments: &[String],
) -> Result<(Option<PathBuf>, Invocation), Diagnostic> {
    let mut invocation = cell::parse_shell_words(command, arguments)?;
    // The first positional of these commands is `name`; in a shell it names the file.
    let path = invocation.values.shift_remove("name").and_then(|path| path.as_str().map(PathBuf::from));
    invocation.spans.clear();
    if path.is_none() && invocation.values.is_empty() && command.keys.iter().any(|key| key.required) {
        return Err(Diagnostic::new("Usage", format!("`{}` needs a recipe", command.name)));
    }
    Ok((path, invocation))
}

/// Read a recipe's text into the invocation; flags win over the file.
pub(super) fn read(mut invocation: Invocation, text: &str, path: &Path) -> Result<Invocation, Diagnostic> {
    body::parse(text, 0, &mut invocation)?;
    if !invocation.values.contains_key("name")
        && let Some(stem) = path.file_stem()
    {
        invocation.values.insert("name".into(), json!(stem.to_string_lossy()));
    }
    cell::finish(invocation)
}

/// `luthier ask ./model`: a directory named on the command line is relative to the shell's directory,
/// which may lie below the project's.
pub(super) fn resolve_directories(invocation: &mut Invocation) {
    if let Some(Value::String(out)) = invocation.values.get_mut("out") {
        *out = super::absolute(Path::new(out.as_str())).to_string_lossy().into_owned();
    }
    // Of `push` and `pull` the target is a name, whatever lies in this directory.
    let target = if ["push", "pull"].contains(&invocation.command.name) { "source" } else { "target" };
    for key in ["model", "adapter", "source", "tokens", "lengths", "lint", "data", target, "sign"] {
        let Some(Value::String(name)) = invocation.values.get_mut(key) else { continue };
        let path = Path::new(name.as_str());
        let looks_like_path = name.contains('/') || name.starts_with('.');
        // A plugin's folder or file may be named without a slash.
        let looks_like_path = looks_like_path || (key == "target" && (path.is_dir() || name.ends_with(".wasm")));
        if (looks_like_path || (key == "model" && path.join("config.json").is_file())) && path.exists() {
            *name = super::absolute(path).to_string_lossy().into_owned();
        }
    }
}
