//! One request on its way: where its events go, and the token that stops it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use luthier_protocol::{EngineBody, Event, Failure, Response};

use crate::outbox::Outbox;

/// What a call is doing.
const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

/// A request that is being served.
#[derive(Debug)]
pub(crate) struct Call {
    id: u64,
    outbox: Outbox,
    cancel: Arc<AtomicBool>,
    state: AtomicU8,
    /// Goes on when its client vanishes without a word.
    survives: bool,
}

impl Call {
    pub(crate) fn new(id: u64, outbox: Outbox, survives: bool) -> Arc<Call> {
        let cancel = Arc::new(AtomicBool::new(false));
        Arc::new(Call { id, outbox, cancel, state: AtomicU8::new(WAITING), survives })
    }

    /// Set when somebody wants it to stop.
    pub(crate) fn cancel_token(&self) -> &Arc<AtomicBool> {
        &self.cancel
    }

    /// Say that something happened. A client that is gone or does not read misses it.
    pub(crate) fn event(&self, event: Event) {
        self.send(EngineBody::Event { event });
    }

    /// A remark that stops nothing.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.event(Event::Warning { message: message.into() });
    }

    /// Begin, unless it ended while it waited.
    pub(crate) fn begin(&self) -> bool {
        self.state.compare_exchange(WAITING, RUNNING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Ask it to stop. One that has not begun ends at once.
    pub(crate) fn cancel(&self) {
        self.cancel.store(true, Ordering::SeqCst);
        if self.state.compare_exchange(WAITING, ENDED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            let failure = Failure::new(
                luthier_protocol::FailureKind::Interrupted,
                "interrupted before it began: nothing was done",
            );
            self.send(EngineBody::Error { failure });
        }
    }

    /// Answer, once.
    pub(crate) fn finish(&self, outcome: Result<Response, Failure>) {
        if self.state.swap(ENDED, Ordering::SeqCst) != ENDED {
            self.send(match outcome {
                Ok(response) => EngineBody::Result { response: Box::new(response) },
                Err(failure) => EngineBody::Error { failure },
            });
        }
    }

    fn ended(&self) -> bool {
        self.state.load(Ordering::SeqCst) == ENDED
    }

    fn send(&self, body: EngineBody) {
        self.outbox.send(self.id, body);
    }
}

/// Calls in flight, by the id that their client chose.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Mutex<BTreeMap<u64, Arc<Call>>>,
}

/// A call's id is in use, or too many are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Duplicate,
    TooMany,
}

impl Calls {
    /// More requests at once than any client makes are a fault of the client.
    const MAX: usize = 256;

    pub(crate) fn add(&self, call: &Arc<Call>) -> Result<(), Refused> {
        let mut calls = self.lock();
        calls.retain(|_, call| !call.ended());
        if calls.contains_key(&call.id) {
            return Err(Refused::Duplicate);
        }
        if calls.len() >= Calls::MAX {
            return Err(Refused::TooMany);
        }
        calls.insert(call.id, Arc::clone(call));
        Ok(())
    }

    pub(crate) fn cancel(&self, id: u64) {
        let call = self.lock().get(&id).cloned();
        if let Some(call) = call {
            call.cancel();
        }
    }

    /// Stop everything.
    pub(crate) fn cancel_all(&self) {
        self.drain(|_| true);
    }

    /// Stop what nobody is waiting for any more, runs excepted.
    pub(crate) fn abandon(&self) {
        self.drain(|call| !call.survives);
    }

    fn drain(&self, stop: impl Fn(&Call) -> bool) {
        let calls: Vec<_> = self.lock().values().cloned().collect();
        calls.iter().filter(|call| stop(call)).for_each(|call| call.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Call>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
