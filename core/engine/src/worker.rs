//! The one thread that owns the device. Heavy work queues here, first come, first served.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A piece of work and what to call it while others wait for it.
pub(crate) struct Task {
    pub(crate) title: String,
    pub(crate) work: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Task>,
    busy: Option<String>,
}

/// The queue's end that others hold.
#[derive(Clone, Default)]
pub(crate) struct Worker {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Worker {
    /// Start the thread. It lives as long as the process.
    pub(crate) fn start() -> std::io::Result<Worker> {
        let worker = Worker::default();
        let own = worker.clone();
        // Recursion in tokenizers and JSON needs more than the 2 MiB of a default thread.
        std::thread::Builder::new().name("device".into()).stack_size(16 << 20).spawn(move || own.serve())?;
        Ok(worker)
    }

    /// Queue work; the answer says what it has to wait for.
    pub(crate) fn submit(&self, task: Task) -> Option<String> {
        let (_, changed) = &*self.shared;
        let mut queue = self.lock();
        let ahead = queue.busy.iter().cloned().chain(queue.waiting.iter().map(|task| task.title.clone()));
        let ahead: Vec<String> = ahead.collect();
        queue.waiting.push_back(task);
        changed.notify_one();
        (!ahead.is_empty()).then(|| ahead.join(", "))
    }

    fn serve(&self) {
        loop {
            let task = self.next();
            // The work answers its caller itself, panics included; a panic that escapes is its
            // own fault and must not take the device away from everybody.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task.work));
            self.lock().busy = None;
        }
    }

    fn next(&self) -> Task {
        let (_, changed) = &*self.shared;
        let mut queue = self.lock();
        loop {
            if let Some(task) = queue.waiting.pop_front() {
                queue.busy = Some(task.title.clone());
                return task;
            }
            queue = changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.lock();
        formatter.debug_struct("Worker").field("busy", &queue.busy).field("waiting", &queue.waiting.len()).finish()
    }
}
