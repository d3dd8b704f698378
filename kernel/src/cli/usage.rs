//! What `luthier --help` and usage errors say.

use crate::{
    cell::{Diagnostic, suggest},
    command::{self, Command},
    display,
};

/// Subcommands that are no cells: name, summary.
const SHELL_ONLY: [(&str, &str); 3] = [
    ("install [--user | --sys-prefix | --prefix DIR]", "install the Jupyter kernel"),
    ("uninstall [--user | --sys-prefix | --prefix DIR]", "remove the Jupyter kernel"),
    ("kernel -f CONNECTION_FILE", "run as a Jupyter kernel (Jupyter does this)"),
];

/// All subcommands.
pub(super) fn overview() -> String {
    let mut table = display::Table::new(["command", "does"]);
    for command in command::all() {
        table.row([usage_of(command), command.summary.to_owned()]);
    }
    for (usage, summary) in SHELL_ONLY {
        table.row([usage.to_owned(), summary.to_owned()]);
    }
    format!(
        "luthier: adapt language models to a task, and measure it\n\nusage: luthier COMMAND …\n\n{}\n\n\
         luthier COMMAND --help explains one. --json prints one JSON value for scripts.\n\
         A RECIPE is a TOML file with what a cell's body would hold, and a `name`.",
        table.to_text()
    )
}

/// One subcommand.
pub(super) fn command(command: &'static Command) -> String {
    format!("usage: luthier {}\n\n{}", usage_of(command), display::help::command(command).plain())
}

fn usage_of(command: &Command) -> String {
    if super::recipe::takes_recipe(command) {
        format!("{} RECIPE.toml [--key value …]", command.name)
    } else {
        command.usage()
    }
}

/// A subcommand that does not exist.
pub(super) fn unknown(name: &str) -> Vec<String> {
    let shell_only = SHELL_ONLY.iter().filter_map(|(usage, _)| usage.split(' ').next());
    let names = command::all().iter().map(|command| command.name).chain(shell_only);
    let hint = match suggest::nearest(name, names) {
        Some(near) => format!("help: did you mean `luthier {near}`?"),
        None => "help: `luthier --help` lists the commands".to_owned(),
    };
    vec![format!("error: there is no command `{name}`"), hint]
}

/// Arguments that do not fit.
pub(super) fn problem(command: &Command, diagnostic: &Diagnostic) -> Vec<String> {
    let mut lines = vec![format!("error: {}", diagnostic.message)];
    for (index, line) in
        diagnostic.hint.iter().flat_map(|hint| hint.lines()).filter(|line| !is_about_cells(line)).enumerate()
    {
        lines.push(if index == 0 { format!("help: {line}") } else { format!("      {line}") });
    }
    lines.push(format!("usage: luthier {}", usage_of(command)));
    lines
}

/// Lines that tell of usage in cells; the shell's own usage follows anyway.
fn is_about_cells(line: &str) -> bool {
    line.starts_with("usage:") || line.starts_with('%')
}
