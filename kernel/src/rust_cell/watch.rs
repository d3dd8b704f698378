//! The process between evcxr and the process that runs cells. It sees how a cell ended (evcxr reports
//! a panic and a `?` as success), streams what the cell prints in order, and outlives a crash.
//!
//! Towards evcxr it is the cell process: control lines come in on standard input and go out on
//! standard output. What happened goes out on standard error, as lines of [`FromWatcher`].

mod stdout;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use luthier::cell::{FromCell, Panic, SOCKET_VARIABLE, ToCell};
use luthier_protocol::frame;

use super::wire::{self, AtWatcher, CellEnd, FromWatcher, SOCKET_DIR_VARIABLE, SYNC_LINE, ToWatcher};
use stdout::{Piece, Splitter};

/// Error text is held back this long: if the cell ends with it, it is the error and not output.
const HOLD_STDERR: Duration = Duration::from_millis(40);

/// How long the cell may take to write what it has buffered. It answers in well under a
/// millisecond, unless it holds the lock of its own standard output.
const SYNC_PATIENCE: Duration = Duration::from_millis(500);

/// How much of a lost process's error text is told.
const LAST_WORDS_CHARS: usize = 16 << 10;

/// Everything that can happen here, on one queue.
enum Happening {
    Stdout(Vec<u8>),
    StdoutEnded,
    Stderr(String),
    /// A line from evcxr; `None`: evcxr is gone.
    Evcxr(Option<String>),
    Cell(FromCell, Option<UnixStream>),
    Control(ToWatcher),
}

/// Does not return.
pub(super) fn run() -> ! {
    let code = match Watcher::start() {
        Ok(watcher) => watcher.watch(),
        Err(error) => {
            say(&FromWatcher::Lost {
                code: None,
                signal: None,
                last_words: format!("it could not be started: {error}"),
            });
            1
        }
    };
    #[expect(clippy::exit, reason = "the other threads only read, and evcxr waits for the process's end")]
    std::process::exit(code)
}

/// A line on standard error, which belongs to us alone.
fn say(message: &FromWatcher) {
    // The evaluator may be gone; then nobody listens.
    let _ = std::io::stderr().lock().write_all(wire::line(message).as_bytes());
}

struct Watcher {
    child: Child,
    socket: PathBuf,
    happenings: Receiver<Happening>,
    splitter: Splitter,
    cell: Option<UnixStream>,
    /// Error text not yet passed on, and when the first of it came.
    held: Option<(String, Instant)>,
    /// The last error text, for the case that the process dies.
    last_words: String,
    panic: Option<Panic>,
    end: CellEnd,
}

impl Watcher {
    fn start() -> std::io::Result<Self> {
        let dir = std::env::var_os(SOCKET_DIR_VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from);
        let socket = wire::watcher_socket(&dir, std::process::id());
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        let mut child = Command::new(std::env::current_exe()?)
            .env(SOCKET_VARIABLE, &socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, happenings) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            pump(stdout, sender.clone(), Happening::Stdout, Some(Happening::StdoutEnded));
        }
        if let Some(stderr) = child.stderr.take() {
            let text = |bytes: Vec<u8>| Happening::Stderr(String::from_utf8_lossy(&bytes).into_owned());
            pump(stderr, sender.clone(), text, None);
        }
        listen(listener, sender.clone());
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                if sender.send(Happening::Evcxr(line.ok())).is_err() {
                    return;
                }
            }
            let _ = sender.send(Happening::Evcxr(None));
        });
        Ok(Watcher {
            child,
            socket,
            happenings,
            splitter: Splitter::default(),
            cell: None,
            held: None,
            last_words: String::new(),
            panic: None,
            end: CellEnd::Normal,
        })
    }

    /// Until the cell process ends; our exit status.
    fn watch(mut self) -> i32 {
        loop {
            let happening = match self.held.as_ref().map(|(_, since)| HOLD_STDERR.saturating_sub(since.elapsed())) {
                Some(wait) => self.happenings.recv_timeout(wait),
                None => self.happenings.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match happening {
                Ok(Happening::StdoutEnded) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(happening) => self.handle(happening),
                Err(RecvTimeoutError::Timeout) => self.release_stderr(),
            }
        }
        self.lost()
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Stdout(bytes) => {
                for piece in self.split(&bytes) {
                    self.piece(piece);
                }
            }
            Happening::StdoutEnded => {}
            Happening::Stderr(text) => self.hold_stderr(&text),
            Happening::Evcxr(Some(line)) => self.on_evcxr(&line),
            Happening::Evcxr(None) => {
                let _ = self.child.kill();
            }
            Happening::Cell(message, stream) => self.on_cell(message, stream),
            Happening::Control(ToWatcher::Interrupt) => self.tell_cell(&ToCell::Interrupt),
            Happening::Control(ToWatcher::Answer { line }) => self.tell_cell(&ToCell::Answer { line }),
            Happening::Control(ToWatcher::Kill) => {
                let _ = self.child.kill();
            }
            Happening::Control(ToWatcher::Sync { token }) => {
                self.release_stderr();
                say(&FromWatcher::Synced { token });
            }
        }
    }

    fn split(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.splitter.push(bytes, &mut pieces);
        pieces
    }

    fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => say(&FromWatcher::Stdout { text }),
            Piece::Content { mime, content } => say(&FromWatcher::Display { mime, content }),
            Piece::Control(line) => to_evcxr(&line),
            Piece::Panic => {
                to_evcxr("EVCXR_PANIC_NOTIFICATION");
                self.end = CellEnd::Panic { panic: None, text: String::new() };
            }
            Piece::Error => {
                to_evcxr("EVCXR_ERROR_OCCURRED");
                self.end = CellEnd::Error { text: String::new() };
            }
            Piece::Complete => self.complete(),
            Piece::Sync => {}
        }
    }

    fn on_evcxr(&mut self, line: &str) {
        if line.starts_with("LOAD_AND_RUN ") {
            self.end = CellEnd::Normal;
            self.panic = None;
            self.last_words.clear();
            self.tell_cell(&ToCell::Begin);
            say(&FromWatcher::Began);
        }
        if let Some(stdin) = &mut self.child.stdin {
            // A cell process that is gone is noticed by its standard output.
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
        }
    }

    fn on_cell(&mut self, message: FromCell, stream: Option<UnixStream>) {
        if stream.is_some() {
            self.cell = stream;
        }
        match message {
            FromCell::Attached | FromCell::Flushed => {}
            FromCell::Status { text } => say(&FromWatcher::Status { text }),
            FromCell::Stopping => say(&FromWatcher::Stopping),
            FromCell::Panicked(panic) if panic.on_cell_thread => {
                // The one before was caught.
                if let Some(caught) = self.panic.replace(panic) {
                    self.hold_stderr(&told(&caught));
                }
            }
            FromCell::Panicked(panic) => self.hold_stderr(&format!("a thread {}", told(&panic))),
        }
    }

    fn tell_cell(&mut self, message: &ToCell) {
        if let Some(cell) = &mut self.cell
            && frame::write(cell, message).is_err()
        {
            self.cell = None;
        }
    }

    /// The cell's code has run: collect everything it printed, say how it ended, then let evcxr know.
    fn complete(&mut self) {
        self.sync();
        let held = self.held.take().map(|(text, _)| text).unwrap_or_default();
        let panic = self.panic.take();
        let end = match std::mem::replace(&mut self.end, CellEnd::Normal) {
            CellEnd::Panic { .. } => CellEnd::Panic { panic, text: held },
            CellEnd::Error { .. } => CellEnd::Error { text: held },
            CellEnd::Normal => {
                let caught = panic.as_ref().map(told).unwrap_or_default();
                if !held.is_empty() || !caught.is_empty() {
                    say(&FromWatcher::Stderr { text: held + &caught });
                }
                CellEnd::Normal
            }
        };
        say(&FromWatcher::Ended { end });
        to_evcxr("EVCXR_EXECUTION_COMPLETE");
    }

    /// Have the cell write what it buffers, and read up to its mark on both streams.
    fn sync(&mut self) {
        self.tell_cell(&ToCell::Flush);
        if self.cell.is_none() {
            // Before the prelude is attached nobody can be asked; cells of ours print nothing then.
            return;
        }
        let deadline = Instant::now() + SYNC_PATIENCE;
        let (mut stdout, mut stderr, mut flushed) = (false, false, false);
        while !(stdout && stderr && flushed) {
            match self.happenings.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Happening::Stdout(bytes)) => {
                    for piece in self.split(&bytes) {
                        match piece {
                            Piece::Sync => stdout = true,
                            piece => self.piece(piece),
                        }
                    }
                }
                Ok(Happening::Stderr(text)) => {
                    stderr |= text.contains(SYNC_LINE);
                    self.hold_stderr(&text);
                }
                Ok(Happening::Cell(FromCell::Flushed, _)) => flushed = true,
                Ok(Happening::StdoutEnded) | Err(_) => return,
                Ok(happening) => self.handle(happening),
            }
        }
    }

    fn hold_stderr(&mut self, text: &str) {
        // A mark that came too late for its cell.
        let text = text.replace(&format!("{SYNC_LINE}\n"), "");
        if text.is_empty() {
            return;
        }
        self.last_words.push_str(&text);
        if let Some((position, _)) = self.last_words.char_indices().rev().nth(LAST_WORDS_CHARS) {
            self.last_words.drain(..position);
        }
        match &mut self.held {
            Some((held, _)) => held.push_str(&text),
            None => self.held = Some((text, Instant::now())),
        }
    }

    fn release_stderr(&mut self) {
        if let Some((text, _)) = self.held.take() {
            say(&FromWatcher::Stderr { text });
        }
    }

    /// Say how the process died; our own exit status is like its.
    fn lost(mut self) -> i32 {
        let status = self.child.wait();
        // What the other reader still has in hand.
        while let Ok(happening) = self.happenings.recv_timeout(Duration::from_millis(50)) {
            if matches!(happening, Happening::Stderr(_) | Happening::Cell(..)) {
                self.handle(happening);
            }
        }
        let mut pieces = Vec::new();
        self.splitter.finish(&mut pieces);
        pieces.into_iter().for_each(|piece| self.piece(piece));
        self.held = None;
        let _ = std::fs::remove_file(&self.socket);
        let (code, signal) = status.map_or((None, None), |status| (status.code(), status.signal()));
        say(&FromWatcher::Lost { code, signal, last_words: std::mem::take(&mut self.last_words) });
        code.unwrap_or(101)
    }
}

/// What the default hook would have said.
fn told(panic: &Panic) -> String {
    format!("panicked at {}:{}:{}:\n{}\n", panic.file, panic.line, panic.column, panic.message)
}

fn to_evcxr(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// Read a stream on a thread of its own.
fn pump(
    mut stream: impl Read + Send + 'static,
    sender: Sender<Happening>,
    wrap: impl Fn(Vec<u8>) -> Happening + Send + 'static,
    last: Option<Happening>,
) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n) = stream.read(&mut buffer) {
            if n == 0 || sender.send(wrap(buffer[..n].to_vec())).is_err() {
                break;
            }
        }
        if let Some(last) = last {
            let _ = sender.send(last);
        }
    });
}

/// The cell process connects once and stays; the evaluator connects to say one thing.
fn listen(listener: UnixListener, sender: Sender<Happening>) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(stream, &sender));
        }
    });
}

fn serve(stream: UnixStream, sender: &Sender<Happening>) {
    let Ok(writer) = stream.try_clone() else { return };
    let mut writer = Some(writer);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(message)) = frame::read(&mut reader) {
        let happening = match message {
            AtWatcher::Cell(message) => Happening::Cell(message, writer.take()),
            AtWatcher::Control(message) => Happening::Control(message),
        };
        if sender.send(happening).is_err() {
            return;
        }
    }
}

/// Say something to the watcher with this process id. False: nobody is there.
pub(super) fn tell(dir: &Path, pid: u32, message: &ToWatcher) -> bool {
    UnixStream::connect(wire::watcher_socket(dir, pid))
        .is_ok_and(|mut stream| frame::write(&mut stream, message).is_ok())
}
