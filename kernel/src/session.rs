//! One notebook's conversation: runs cells one at a time, and can be interrupted or ended from other
//! threads. Must not know: sockets and message formats.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use luthier::notebook::Operation;
use luthier_protocol::{Event, FailureKind, Request, Response};

use crate::{
    cell::{self, Cell, Diagnostic, Invocation},
    command::Names,
    display::{MimeBundle, text},
    engine::Engine,
    run::{self, Failed},
    rust_cell::{RustCells, RustCellsConfig, RustOutput},
    screen::{Screen, Stream},
};

/// Clients interrupt right before they restart a kernel. A cancel waits this long, so that a restart
/// leaves the run alone instead of pausing it first.
const CANCEL_GRACE: Duration = Duration::from_millis(150);

/// A shutdown this soon after an interrupt is a restart: the run goes on in the engine.
const RESTART_WINDOW: Duration = Duration::from_secs(5);

/// How long ending waits for the running cell. Clients kill the process 2.5 s after asking.
const END_PATIENCE: Duration = Duration::from_millis(1800);

/// Why a cell failed, as Jupyter reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellError {
    /// The kind.
    pub ename: String,
    /// The message.
    pub evalue: String,
    /// What people read: message, place, advice. May carry ANSI colors.
    pub traceback: Vec<String>,
}

impl CellError {
    /// An error with nothing but a message.
    pub fn new(ename: &str, evalue: impl Into<String>) -> Self {
        let evalue = evalue.into();
        CellError { ename: ename.to_owned(), traceback: vec![format!("{ename}: {evalue}")], evalue }
    }

    fn from_diagnostic(diagnostic: &Diagnostic, code: &str) -> Self {
        CellError {
            ename: diagnostic.ename.clone(),
            evalue: diagnostic.message.clone(),
            traceback: colored(diagnostic.lines(code, "cell")),
        }
    }
}

/// Red for the kind, bold for the caret, cyan for advice: the ANSI colors that every client themes.
fn colored(lines: Vec<String>) -> Vec<String> {
    let color = |(index, line): (usize, String)| match line.split_once(": ") {
        Some((ename, message)) if index == 0 => format!("\u{1b}[31m{ename}\u{1b}[0m: {message}"),
        Some(("help", advice)) => format!("\u{1b}[36mhelp\u{1b}[0m: {advice}"),
        _ if line.trim_start().starts_with("| ") && line.ends_with('^') => format!("\u{1b}[1m{line}\u{1b}[0m"),
        _ => line,
    };
    lines.into_iter().enumerate().map(color).collect()
}

/// The state behind one kernel.
pub struct Session {
    engine: Engine,
    rust: OnceLock<RustCells>,
    rust_warm_up: Option<Duration>,
    runs_rust: bool,
    cancel: Arc<AtomicBool>,
    running: Mutex<Running>,
    /// Counts cells, so that a late cancel does not hit the next one.
    cell: AtomicU64,
    last_interrupt: Mutex<Option<Instant>>,
    ending: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Running {
    Nothing,
    Commands,
    Rust,
}

impl Session {
    /// A session for the project at or above `dir`. Starts nothing. `rust_warm_up`: how long after
    /// the first cell the compiler is prepared in the background; `None` leaves it to a Rust cell.
    pub fn new(dir: PathBuf, rust_warm_up: Option<Duration>) -> Self {
        Session {
            engine: Engine::new(luthier_protocol::paths::project_root(&dir)),
            rust: OnceLock::new(),
            rust_warm_up,
            runs_rust: true,
            cancel: Arc::default(),
            running: Mutex::new(Running::Nothing),
            cell: AtomicU64::new(0),
            last_interrupt: Mutex::new(None),
            ending: AtomicBool::new(false),
        }
    }

    /// A second session on the same project, for a subshell: command cells run beside those of the
    /// first. Rust cells do not: there is one set of variables.
    #[must_use]
    pub fn subshell(&self) -> Session {
        Session { runs_rust: false, ..Session::new(self.engine.project_dir().to_owned(), None) }
    }

    /// Set while the running cell is asked to stop.
    pub fn cancelled(&self) -> Arc<AtomicBool> {
        self.cancel.clone()
    }

    /// Run a cell to its end.
    pub fn run_cell(&self, code: &str, screen: &mut dyn Screen) -> Result<(), CellError> {
        let parsed = cell::parse(code).map_err(|diagnostic| CellError::from_diagnostic(&diagnostic, code))?;
        let kind = match &parsed {
            Cell::Empty => return Ok(()),
            Cell::Rust(_) => Running::Rust,
            Cell::Commands(_) => Running::Commands,
        };
        self.cell.fetch_add(1, Ordering::SeqCst);
        self.cancel.store(false, Ordering::SeqCst);
        self.set_running(kind);
        if self.rust_warm_up.is_some() {
            self.rust();
        }
        let _clear = OnDrop(|| self.set_running(Running::Nothing));
        match parsed {
            Cell::Empty => Ok(()),
            Cell::Rust(code) => self.run_rust(code, screen),
            Cell::Commands(commands) => {
                commands.iter().try_for_each(|invocation| self.run_command(invocation, code, screen))
            }
        }
    }

    fn run_command(&self, invocation: &Invocation, code: &str, screen: &mut dyn Screen) -> Result<(), CellError> {
        match run::run(invocation, &self.engine, &self.cancel, screen) {
            Ok(outcome) => {
                screen.show(&run::render(invocation, outcome), None);
                Ok(())
            }
            Err(Failed::Command(diagnostic)) => Err(CellError::from_diagnostic(&diagnostic, code)),
            Err(Failed::Engine(failure, started)) => {
                if failure.kind == FailureKind::Interrupted && self.is_restarting() {
                    self.hand_over(started);
                }
                Err(CellError::from_diagnostic(&run::diagnostic(&failure, invocation), code))
            }
        }
    }

    fn run_rust(&self, code: &str, screen: &mut dyn Screen) -> Result<(), CellError> {
        let mut status = Status::default();
        if !self.runs_rust {
            return Err(CellError::new(
                "RustUnavailable",
                "Rust cells run in the notebook's main shell only: they share one set of variables",
            ));
        }
        let rust = self.rust();
        let result = rust.execute(code, &mut |output| match output {
            RustOutput::Stdout(text) => screen.text(Stream::Stdout, &text),
            RustOutput::Stderr(text) => screen.text(Stream::Stderr, &text),
            RustOutput::Display(data) => screen.show(&MimeBundle::from_data(data), None),
            RustOutput::Status(line) => status.show(&line, screen),
            RustOutput::Operation(operation) => perform(operation, rust, screen),
        });
        status.show("", screen);
        result.map_err(|failure| CellError {
            ename: failure.ename,
            evalue: failure.evalue,
            traceback: failure.traceback,
        })
    }

    /// The Rust evaluator; started on first use.
    pub fn rust(&self) -> &RustCells {
        self.rust.get_or_init(|| {
            RustCells::start(RustCellsConfig {
                project_dir: self.engine.project_dir().to_owned(),
                runtime_dir: None,
                prelude_dir: None,
                warm_up_after: self.rust_warm_up,
            })
        })
    }

    /// The Rust evaluator, if a cell has used it or it is warming up.
    pub fn rust_if_started(&self) -> Option<&RustCells> {
        self.rust.get()
    }

    /// Names that could be meant: asked of the engine if it is there and free.
    pub fn names(&self, names: Names) -> Vec<String> {
        let ask = |request| self.engine.peek(request);
        let models = || match ask(Request::Models) {
            Some(Response::Models { models }) => models.into_iter().map(|model| model.name).collect(),
            _ => vec!["pico".to_owned()],
        };
        let adapters = || match ask(Request::Adapters) {
            Some(Response::Adapters { adapters }) => adapters.into_iter().map(|adapter| adapter.name).collect(),
            _ => Vec::new(),
        };
        match names {
            Names::Free => Vec::new(),
            Names::Commands => crate::command::all().iter().map(|command| command.name.to_owned()).collect(),
            Names::Models => models(),
            Names::ModelsAndAdapters => models().into_iter().chain(adapters()).collect(),
            Names::Datasets => match ask(Request::Datasets) {
                Some(Response::Datasets { datasets }) => datasets.into_iter().map(|dataset| dataset.name).collect(),
                _ => Vec::new(),
            },
            Names::Runs => match ask(Request::Runs) {
                Some(Response::Runs { runs }) => runs.into_iter().map(|run| run.run).collect(),
                _ => Vec::new(),
            },
        }
    }

    /// Stop the running cell; returns at once. A run is paused with a checkpoint.
    pub fn interrupt(self: &Arc<Self>) {
        if let Ok(mut last) = self.last_interrupt.lock() {
            *last = Some(Instant::now());
        }
        let session = self.clone();
        let cell = self.cell.load(Ordering::SeqCst);
        std::thread::spawn(move || {
            std::thread::sleep(CANCEL_GRACE);
            let same_cell = session.cell.load(Ordering::SeqCst) == cell;
            if same_cell && !session.ending.load(Ordering::SeqCst) {
                session.cancel_now();
            }
        });
    }

    fn cancel_now(&self) {
        self.cancel.store(true, Ordering::SeqCst);
        if self.is_running(Running::Rust)
            && let Some(rust) = self.rust.get()
        {
            rust.interrupt();
        }
    }

    /// End the session: after an interrupt within the last seconds this is a restart and the run goes
    /// on in the engine, else it is paused with a checkpoint. Waits for the cell, but not long.
    pub fn shutdown(&self) {
        self.ending.store(true, Ordering::SeqCst);
        if self.is_restarting() && !self.cancel.load(Ordering::SeqCst) {
            self.engine.leave();
        } else if !self.is_restarting() {
            self.cancel_now();
        }
        // A cancel already under way: the cell's own thread hands the run over when it has paused.
        let deadline = Instant::now() + END_PATIENCE;
        while self.is_running(Running::Commands) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Some(rust) = self.rust.get() {
            rust.shutdown();
        }
    }

    /// A shutdown is under way that began with an interrupt.
    fn is_restarting(&self) -> bool {
        let interrupted = self.last_interrupt.lock().ok().and_then(|last| *last);
        self.ending.load(Ordering::SeqCst) && interrupted.is_some_and(|at| at.elapsed() < RESTART_WINDOW)
    }

    /// A run was paused by an interrupt that turned out to announce a restart: let it go on without us.
    fn hand_over(&self, run: Option<String>) {
        let Some(run) = run else { return };
        self.engine.stay();
        let never = AtomicBool::new(false);
        let _ = self.engine.request(
            Request::Resume { run },
            &mut |event| {
                if matches!(event, Event::RunStarted { .. } | Event::Step(_)) {
                    self.engine.leave();
                }
            },
            &never,
        );
    }

    fn set_running(&self, state: Running) {
        if let Ok(mut running) = self.running.lock() {
            *running = state;
        }
    }

    fn is_running(&self, state: Running) -> bool {
        self.running.lock().is_ok_and(|running| *running == state)
    }
}

/// What a Rust cell asks of the notebook.
fn perform(operation: Operation, rust: &RustCells, screen: &mut dyn Screen) {
    match operation {
        Operation::Display { data, display_id } => screen.show(&MimeBundle::from_data(data), Some(&display_id)),
        Operation::Update { data, display_id } => screen.update(&MimeBundle::from_data(data), &display_id),
        Operation::ClearOutput { wait } => screen.clear(wait),
        Operation::Input { prompt, password } => rust.answer(screen.input(&prompt, password)),
    }
}

/// A line that says what a Rust cell waits for, replaced in place and blank in the end.
#[derive(Default)]
struct Status {
    display_id: Option<String>,
    shown: String,
}

impl Status {
    fn show(&mut self, line: &str, screen: &mut dyn Screen) {
        if self.shown == line {
            return;
        }
        self.shown = line.to_owned();
        let bundle = MimeBundle::text(text::clean(line)).html(crate::display::html::faint(line));
        match &self.display_id {
            Some(id) => screen.update(&bundle, id),
            None => {
                let id = uuid::Uuid::new_v4().to_string();
                screen.show(&bundle, Some(&id));
                self.display_id = Some(id);
            }
        }
    }
}

/// Runs on every way out, a panic included.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
