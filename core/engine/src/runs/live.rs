//! Runs that this engine works on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use luthier_protocol::response::Finetuned;
use luthier_protocol::{Event, Failure};

use super::journal;

/// How often a follower looks whether it should stop.
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    /// Raised when earlier events are taken back, so that followers read again.
    generation: u64,
    outcome: Option<Result<Finetuned, Failure>>,
}

/// One run. Its training thread speaks, followers listen.
#[derive(Debug)]
pub struct LiveRun {
    cancel: Arc<AtomicBool>,
    state: Mutex<State>,
    changed: Condvar,
}

impl LiveRun {
    /// Say that something happened.
    pub fn push(&self, event: &Event) {
        let mut state = self.lock();
        if matches!(event, Event::RunStarted { .. }) {
            state.generation += 1;
        }
        journal::push(&mut state.events, event.clone());
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
        let (mut n_seen, mut generation) = (0, 0);
        loop {
            let (news, outcome) = {
                let mut state = self.lock();
                while state.events.len() <= n_seen && state.outcome.is_none() && !stop.load(Ordering::SeqCst) {
                    state = self.changed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
                }
                if state.generation != generation {
                    (n_seen, generation) = (0, state.generation);
                }
                (state.events.get(n_seen..).unwrap_or_default().to_vec(), state.outcome.clone())
            };
            n_seen += news.len();
            news.into_iter().for_each(&mut *sink);
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
    /// A run begins; `cancel` pauses it. `None` if it is live already. `history` is what it said in
    /// an earlier engine.
    pub(crate) fn register(
        &self,
        project: &Path,
        run: &str,
        cancel: Arc<AtomicBool>,
        history: Vec<Event>,
    ) -> Option<Registration<'_>> {
        let key = (project.to_path_buf(), run.to_owned());
        let mut runs = self.lock();
        if runs.contains_key(&key) {
            return None;
        }
        let state = State { events: history, ..State::default() };
        let live = Arc::new(LiveRun { cancel, state: Mutex::new(state), changed: Condvar::new() });
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
