//! `luthier <command>`: the same commands as in cells, for shells and scripts.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed,
//! 2 wrong usage.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use crate::{
    cell::{self, Diagnostic, Invocation},
    command::{self, Command},
    engine::Engine,
    run::{self, Failed, Outcome},
};

mod install;
mod interrupt;
mod recipe;
mod terminal;
mod usage;

use terminal::Terminal;

/// How an invocation ended badly.
pub(crate) enum CliError {
    /// The command line is wrong: exit code 2.
    Usage(Vec<String>),
    /// The work failed: exit code 1.
    Failed(Vec<String>),
}

impl CliError {
    fn failed(error: impl std::fmt::Display) -> Self {
        CliError::Failed(vec![format!("error: {error}")])
    }
}

/// Run the process's own arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (lines, code) = match dispatch(&arguments) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(CliError::Failed(lines)) => (lines, 1),
        Err(CliError::Usage(lines)) => (lines, 2),
    };
    for line in lines {
        eprintln!("{line}");
    }
    ExitCode::from(code)
}

fn dispatch(arguments: &[String]) -> Result<(), CliError> {
    let Some((name, rest)) = arguments.split_first() else {
        terminal::print_line(&usage::overview());
        return Ok(());
    };
    let asks_for_help = rest.iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h");
    match name.as_str() {
        "--help" | "-h" => {
            terminal::print_line(&usage::overview());
            Ok(())
        }
        "--version" | "-V" | "version" => {
            terminal::print_line(&format!("luthier {}", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
        "kernel" => install::kernel(rest),
        "install" => install::install(rest),
        "uninstall" => install::uninstall(rest),
        "help" if rest.is_empty() => {
            terminal::print_line(&usage::overview());
            Ok(())
        }
        name => match command::find(name) {
            Some(command) if asks_for_help => {
                terminal::print_line(&usage::command(command));
                Ok(())
            }
            Some(command) => run_command(command, rest),
            None => Err(CliError::Usage(usage::unknown(name))),
        },
    }
}

/// What a command line says besides the command's own arguments.
struct Line {
    invocation: Invocation,
    /// The recipe's path and text, for messages that quote it.
    source: Option<(PathBuf, String)>,
    json: bool,
}

fn run_command(command: &'static Command, arguments: &[String]) -> Result<(), CliError> {
    let line = parse(command, arguments)?;
    let dir = std::env::current_dir().map_err(CliError::failed)?;
    let engine = Engine::new(luthier_protocol::paths::project_root(&dir));
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::cancel_on_ctrl_c(cancel.clone());
    let mut terminal = Terminal::new();
    match run::run(&line.invocation, &engine, &cancel, &mut terminal) {
        Ok(outcome) => {
            terminal.close();
            let holds = holds(&outcome);
            print(&line, outcome);
            if holds { Ok(()) } else { Err(CliError::Failed(Vec::new())) }
        }
        Err(failed) => {
            terminal.close();
            Err(report(failed, &line))
        }
    }
}

fn parse(command: &'static Command, arguments: &[String]) -> Result<Line, CliError> {
    let json = arguments.iter().any(|word| word == "--json");
    let arguments: Vec<String> = arguments.iter().filter(|word| *word != "--json").cloned().collect();
    let usage = |diagnostic: Diagnostic| CliError::Usage(usage::problem(command, &diagnostic));
    if !recipe::takes_recipe(command) {
        let mut invocation = cell::parse_shell_words(command, &arguments).map_err(usage)?;
        recipe::resolve_directories(&mut invocation);
        let invocation = cell::finish(invocation).map_err(usage)?;
        return Ok(Line { invocation, source: None, json });
    }
    let (path, invocation) = recipe::split(command, &arguments).map_err(usage)?;
    match path {
        None => Ok(Line { invocation: cell::finish(invocation).map_err(usage)?, source: None, json }),
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                CliError::failed(format!("the recipe {} could not be read: {error}", path.display()))
            })?;
            let broken =
                |diagnostic: Diagnostic| CliError::Failed(diagnostic.lines(&text, &path.display().to_string()));
            let invocation = recipe::read(invocation, &text, &path).map_err(broken)?;
            Ok(Line { invocation, source: Some((path, text)), json })
        }
    }
}

fn print(line: &Line, outcome: Outcome) {
    let command = line.invocation.command;
    match &outcome {
        Outcome::Answered(response) if line.json => {
            terminal::print_line(&(command.json)(response).to_string());
        }
        Outcome::Answered(response) if command.name == "ask" => {
            if let luthier_protocol::Response::Asked(asked) = &**response {
                // The completion alone, byte for byte: scripts compare it.
                terminal::print_line(&asked.completion);
            }
        }
        _ => terminal::print_line(run::render(&line.invocation, outcome).plain()),
    }
}

/// A check that found something wrong has done its work, and the shell is to know what it found.
fn holds(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(response) => match &**response {
            luthier_protocol::Response::TrainingChecked(check) => check.passed,
            luthier_protocol::Response::Plugin(report) => report.checks.iter().all(|check| check.passed),
            _ => true,
        },
        Outcome::Shown(_) => true,
    }
}

fn report(failed: Failed, line: &Line) -> CliError {
    let (text, name) = match &line.source {
        Some((path, text)) => (text.as_str(), path.display().to_string()),
        None => ("", String::new()),
    };
    match failed {
        // Without a recipe the values came from the command line itself.
        Failed::Command(diagnostic) if line.source.is_none() => {
            CliError::Usage(usage::problem(line.invocation.command, &diagnostic))
        }
        Failed::Command(diagnostic) => CliError::Failed(diagnostic.lines(text, &name)),
        Failed::Engine(failure, _) => {
            let mut diagnostic = run::diagnostic(&failure, &line.invocation);
            // Advice about cells reads differently in a shell.
            diagnostic.hint = diagnostic.hint.map(|hint| hint.replace("`%%", "`luthier ").replace("`%", "`luthier "));
            CliError::Failed(diagnostic.lines(text, &name))
        }
    }
}

/// The directory that relative paths of the command line are relative to.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
