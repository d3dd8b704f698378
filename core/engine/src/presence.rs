//! Who is here: connections and work in hand. The engine ends when nobody has been for a while.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Stopwatch};

#[derive(Debug)]
struct State {
    connections: usize,
    work: usize,
    idle_since: Stopwatch,
    /// End as soon as no work is in hand, connections or not.
    leaving: bool,
}

/// Counts of connections and work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Presence {
    clock: Clock,
    state: Arc<Mutex<State>>,
    changed: Arc<Condvar>,
}

/// Keeps the engine alive until dropped.
#[derive(Debug)]
pub struct Guard {
    presence: Presence,
    is_work: bool,
}

impl Presence {
    /// Nobody is here yet; the idle time starts now.
    pub fn new(clock: Clock) -> Presence {
        let state = State { connections: 0, work: 0, idle_since: clock.stopwatch(), leaving: false };
        Presence { clock, state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    /// A connection is open.
    pub fn connection(&self) -> Guard {
        self.lock().connections += 1;
        Guard { presence: self.clone(), is_work: false }
    }

    /// Something is being worked on; `None` once the engine is leaving.
    pub fn work(&self) -> Option<Guard> {
        let mut state = self.lock();
        if state.leaving {
            return None;
        }
        state.work += 1;
        Some(Guard { presence: self.clone(), is_work: true })
    }

    /// Take no more work, and end once there is none.
    pub fn leave(&self) {
        self.lock().leaving = true;
        self.changed.notify_all();
    }

    /// Wait until nobody has been here for `idle`, or the engine is leaving and its work is done,
    /// or `interrupted` says so (asked several times a second).
    pub fn wait_until_unneeded(&self, idle: Duration, interrupted: impl Fn() -> bool) {
        const POLL: Duration = Duration::from_millis(100);
        let mut state = self.lock();
        while !interrupted() {
            let nobody = state.connections == 0 && state.work == 0;
            if nobody && state.idle_since.seconds() >= idle.as_secs_f64() || state.leaving && state.work == 0 {
                state.leaving = true;
                return;
            }
            let (next, _) = self.changed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
    }

    /// Wait until no work is in hand, at most `limit`.
    pub fn wait_for_work(&self, limit: Duration) {
        let (state, clock) = (self.lock(), self.clock.stopwatch());
        let still = |state: &mut State| state.work > 0 && clock.seconds() < limit.as_secs_f64();
        drop(self.changed.wait_timeout_while(state, limit, still));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.presence.lock();
        if self.is_work {
            state.work -= 1;
        } else {
            state.connections -= 1;
        }
        state.idle_since = self.presence.clock.stopwatch();
        self.presence.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
