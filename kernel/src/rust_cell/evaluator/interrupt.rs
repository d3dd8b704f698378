//! The ladder of an interrupt: ask the cell to stop; if it does not, end its process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::processes;
use super::super::watch;
use super::super::wire::{SOCKET_DIR_VARIABLE, ToWatcher};
use super::record::Record;

/// No cell has this number; 0 is the warm-up.
const NONE: u64 = u64::MAX;

/// How long a cell has to stop by itself.
const GRACE: Duration = Duration::from_secs(3);

/// How long it has when it waits for the engine to write a checkpoint.
const STOPPING_GRACE: Duration = Duration::from_secs(60);

/// A second interrupt this much later is meant.
const REPEAT_AFTER: Duration = Duration::from_millis(400);

/// How often a compilation is looked for.
const POLL: Duration = Duration::from_millis(20);

pub(super) struct Interrupter {
    record: Arc<Record>,
    /// Directory of the watcher's socket.
    socket_dir: PathBuf,
    /// The running or announced cell.
    cell: AtomicU64,
    interrupted: AtomicBool,
    last: Mutex<Option<Instant>>,
    watcher: Mutex<Option<Arc<Mutex<std::process::Child>>>>,
}

impl Interrupter {
    pub(super) fn new(record: Arc<Record>) -> Self {
        Interrupter {
            record,
            socket_dir: std::env::var_os(SOCKET_DIR_VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from),
            cell: AtomicU64::new(NONE),
            interrupted: AtomicBool::new(false),
            last: Mutex::new(None),
            watcher: Mutex::new(None),
        }
    }

    pub(super) fn begin(&self, cell: u64) {
        self.interrupted.store(false, Ordering::SeqCst);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.cell.store(cell, Ordering::SeqCst);
    }

    pub(super) fn end(&self, cell: u64) {
        // The next one may already have been announced.
        let _ = self.cell.compare_exchange(cell, NONE, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// evcxr's handle to the watcher, valid across its restarts.
    pub(super) fn set_watcher(&self, handle: Option<Arc<Mutex<std::process::Child>>>) {
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    /// Say something to the watcher.
    pub(super) fn tell(&self, message: &ToWatcher) -> bool {
        self.watcher_pid().is_some_and(|pid| watch::tell(&self.socket_dir, pid, message))
    }

    fn watcher_pid(&self) -> Option<u32> {
        let handle = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let pid = handle.lock().unwrap_or_else(PoisonError::into_inner).id();
        Some(pid)
    }

    pub(super) fn interrupt(self: &Arc<Self>) {
        let cell = self.cell.load(Ordering::SeqCst);
        if cell == NONE {
            return;
        }
        let previous = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
        self.interrupted.store(true, Ordering::SeqCst);
        match previous {
            None => {
                let ladder = Arc::clone(self);
                std::thread::spawn(move || ladder.climb(cell));
            }
            Some(at) if at.elapsed() >= REPEAT_AFTER && self.record.is_running() => {
                self.tell(&ToWatcher::Kill);
            }
            Some(_) => {}
        }
    }

    /// Until the cell has ended.
    fn climb(&self, cell: u64) {
        let mut asked: Option<Instant> = None;
        while self.cell.load(Ordering::SeqCst) == cell {
            match (self.record.is_running(), asked) {
                // What compiles is not worth asking. Killed again and again: evcxr may start another.
                (false, None) => {
                    processes::kill_descendants_except(self.watcher_pid());
                }
                (true, None) => {
                    self.tell(&ToWatcher::Interrupt);
                    asked = Some(Instant::now());
                }
                (true, Some(at)) => {
                    let grace = if self.record.is_stopping() { STOPPING_GRACE } else { GRACE };
                    if at.elapsed() > grace {
                        self.tell(&ToWatcher::Kill);
                        return;
                    }
                }
                (false, Some(_)) => {}
            }
            std::thread::sleep(POLL);
        }
    }
}
