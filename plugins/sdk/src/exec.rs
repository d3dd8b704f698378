//! Running generated programs: the engine starts each in a fresh interpreter without files, network,
//! clock or neighbors, metered in fuel. Only a plugin that calls [`run`] imports `exec`.
//!
//! Natively there is no such interpreter: a unit test gives one with [`set_runner`].

/// Limits of one program. The host lowers them to its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecBudget {
    /// Fuel: the same on every machine, unlike time. About 7 billion are one second.
    pub fuel: u64,
    /// Memory of the interpreter.
    pub memory_bytes: u32,
    /// What of standard output is kept.
    pub output_bytes: u32,
}

impl Default for ExecBudget {
    /// 20 billion fuel (about 3 seconds), 256 MiB, 64 KiB.
    fn default() -> Self {
        Self { fuel: 20_000_000_000, memory_bytes: 256 << 20, output_bytes: 64 << 10 }
    }
}

/// What became of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecStatus {
    /// It ran, and so did all of its tests.
    Passed,
    /// It raised an error, or a test did.
    Failed,
    /// It is not a program.
    SyntaxError,
    /// It took more fuel than it had.
    OutOfFuel,
    /// It took more memory than it had.
    OutOfMemory,
    /// It recursed too deeply.
    StackOverflow,
    /// It wanted what the sandbox does not have: files, network, processes, threads.
    Denied,
    /// The interpreter itself failed.
    Crashed,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// The verdict.
    pub status: ExecStatus,
    /// What it printed, cut to the budget.
    pub stdout: String,
    /// The error's type and message.
    pub detail: String,
    /// Fuel used: equal for equal programs on any machine.
    pub fuel_used: u64,
}

/// Why a program was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecError {
    /// No interpreter for it here; the text says which there are and how to get one.
    UnsupportedLanguage(String),
    /// The call's programs have used up what they have together.
    Budget(String),
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnsupportedLanguage(message) | Self::Budget(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ExecError {}

/// Runs `program`, then `tests` in the same namespace.
#[cfg(target_arch = "wasm32")]
pub fn run(language: &str, program: &str, tests: &str, budget: ExecBudget) -> Result<ExecOutcome, ExecError> {
    crate::guest::run_program(language, program, tests, budget)
}

#[cfg(not(target_arch = "wasm32"))]
type Runner = Box<dyn Fn(&str, &str, &str, ExecBudget) -> Result<ExecOutcome, ExecError>>;

#[cfg(not(target_arch = "wasm32"))]
thread_local! {
    static RUNNER: std::cell::RefCell<Option<Runner>> = const { std::cell::RefCell::new(None) };
}

/// Runs `program`, then `tests` in the same namespace: natively with what [`set_runner`] was given.
#[cfg(not(target_arch = "wasm32"))]
pub fn run(language: &str, program: &str, tests: &str, budget: ExecBudget) -> Result<ExecOutcome, ExecError> {
    RUNNER.with_borrow(|runner| match runner {
        Some(runner) => runner(language, program, tests, budget),
        None => Err(ExecError::UnsupportedLanguage(format!("`{language}`: no interpreter outside of the engine"))),
    })
}

/// What [`run`] does natively on this thread; for unit tests.
#[cfg(not(target_arch = "wasm32"))]
pub fn set_runner(runner: impl Fn(&str, &str, &str, ExecBudget) -> Result<ExecOutcome, ExecError> + 'static) {
    RUNNER.set(Some(Box::new(runner)));
}
