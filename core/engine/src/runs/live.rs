//! Runs that this engine works on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use luthier_protocol::response::Finetuned;
use luthier_protocol::{Event, Failure};

use super::journal::Story;

/// How often a follower looks whether it should stop.
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct State {
    /// How much of the journal is written.
    n_bytes: u64,
    outcome: Option<Result<Finetuned, Failure>>,
}

/// One run. Its training thread writes into the journal, followers read it.
#[derive(Debug)]
pub struct LiveRun {
    run_dir: PathBuf,
    cancel: Arc<AtomicBool>,
    state: Mutex<State>,
    changed: Condvar,
}

impl LiveRun {
    /// The journal has grown.
    pub fn written(&self, n_bytes: u64) {
        self.lock().n_bytes = n_bytes;
        self.changed.notify_all();
    }

    /// Say how it ended.
    pub fn finish(&self, outcome: &Result<Finetuned, Failure>) {
        self.lock().outcome = Some(outcome.clone());
        self.changed.notify_all();
    }

    /// Ask it to pause with a checkpoint.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::SeqCst);
    }

    /// Pass on everything from the beginning until the run ends; `None` if `stop` was set first.
    pub fn follow(&self, sink: &mut dyn FnMut(Event), stop: &AtomicBool) -> Option<Result<Finetuned, Failure>> {
        let (mut story, mut n_seen) = (Story::default(), 0);
        loop {
            let (n_bytes, outcome) = {
                let mut state = self.lock();
                while state.n_bytes <= n_seen && state.outcome.is_none() && !stop.load(Ordering::SeqCst) {
                    state = self.changed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
                }
                (state.n_bytes, state.outcome.clone())
            };
            n_seen = n_bytes;
            story.tell(&self.run_dir, n_bytes, sink);
            if outcome.is_some() || stop.load(Ordering::SeqCst) {
                return outcome;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Key = (PathBuf, String);

/// All of them, by project and id.
#[derive(Debug, Default)]
pub struct LiveRuns {
    runs: Mutex<BTreeMap<Key, Arc<LiveRun>>>,
}

/// Takes the run off the list when dropped, a panic included.
#[derive(Debug)]
pub(crate) struct Registration<'a> {
    runs: &'a LiveRuns,
    key: Key,
    pub(crate) live: Arc<LiveRun>,
}

impl LiveRuns {
    /// A run begins; `cancel` pauses it. `None` if it is live already. What it said in an earlier
    /// engine lies in the journal in `run_dir`.
    pub(crate) fn register(
        &self,
        project: &Path,
        run: &str,
        cancel: Arc<AtomicBool>,
        run_dir: &Path,
    ) -> Option<Registration<'_>> {
        let key = (project.to_path_buf(), run.to_owned());
        let mut runs = self.lock();
        if runs.contains_key(&key) {
            return None;
        }
        let live = Arc::new(LiveRun {
            run_dir: run_dir.to_path_buf(),
            cancel,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        runs.insert(key.clone(), Arc::clone(&live));
        Some(Registration { runs: self, key, live })
    }

    /// The run, if this engine works on it.
    pub fn get(&self, project: &Path, run: &str) -> Option<Arc<LiveRun>> {
        self.lock().get(&(project.to_path_buf(), run.to_owned())).cloned()
    }

    /// Pause all.
    pub fn cancel_all(&self) {
        self.lock().values().for_each(|run| run.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<LiveRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.runs.lock().remove(&self.key);
        // Followers of a run that ended without a word (a panic) must not wait for ever.
        let mut state = self.live.lock();
        if state.outcome.is_none() {
            let failure =
                Failure::new(luthier_protocol::FailureKind::Internal, "the run ended by a fault of the engine");
            state.outcome = Some(Err(failure));
        }
        self.live.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
