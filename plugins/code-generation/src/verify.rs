//! Whether a function does what its tests say: it is run with them, in the host's sandbox.

use luthier_plugin::exec::{self, ExecBudget, ExecError, ExecStatus};
use luthier_plugin::{Error, Verdict};
use luthier_python_source as python;

/// Runs a row. Its tests must hold for the solution, and must not hold for a function that does nothing.
///
/// # Errors
/// There is no interpreter: nothing can be said of any row.
pub(crate) fn judge(prompt: &str, solution: &str, tests: &str, budget: ExecBudget) -> Result<Verdict, Error> {
    if prompt.trim().is_empty() || solution.trim().is_empty() {
        return Ok(Verdict::reject("empty-field", "the prompt or the solution is empty"));
    }
    let Some(name) = python::asked_function(prompt).or_else(|| python::asked_function(solution)) else {
        return Ok(Verdict::reject("no-function", "the solution defines no function"));
    };
    if tests.trim().is_empty() {
        return Ok(Verdict::reject("no-tests", "the row has no tests"));
    }
    let tests = python::tests(prompt, tests);
    let outcome = run(&python::program(prompt, solution), &tests, budget)?;
    let code = match outcome.status {
        ExecStatus::Passed => return prove(name, &tests, budget),
        ExecStatus::Failed => "tests-fail",
        ExecStatus::SyntaxError => "syntax-error",
        ExecStatus::OutOfFuel => "out-of-fuel",
        ExecStatus::OutOfMemory => "out-of-memory",
        ExecStatus::StackOverflow => "stack-overflow",
        ExecStatus::Denied => "denied",
        ExecStatus::Crashed => "crashed",
    };
    Ok(Verdict::reject(code, outcome.detail))
}

/// Tests that hold for a function that does nothing prove nothing.
fn prove(name: &str, tests: &str, budget: ExecBudget) -> Result<Verdict, Error> {
    let nothing = format!("def {name}(*args, **kwargs):\n    return None\n");
    match run(&nothing, tests, budget)?.status {
        ExecStatus::Passed => {
            Ok(Verdict::reject("tests-prove-nothing", "a function that does nothing passes them, too"))
        }
        _ => Ok(Verdict::keep()),
    }
}

fn run(program: &str, tests: &str, budget: ExecBudget) -> Result<exec::ExecOutcome, Error> {
    exec::run("python", program, tests, budget).map_err(|error| match error {
        ExecError::UnsupportedLanguage(message) => {
            Error::Unsupported(format!("running functions before they are kept (`verify`): {message}"))
        }
        ExecError::Budget(message) => Error::Internal(message),
    })
}
