//! The kernel's line to the engine: connected on first use, renewed when it breaks.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use luthier::engine::{ConnectOptions, Connection, connect_or_spawn};
use luthier_protocol::{Event, Failure, Request, Response};

/// A connection that exists once something was asked.
pub struct Engine {
    project_dir: PathBuf,
    connection: Mutex<Option<Connection>>,
    leave: Arc<AtomicBool>,
}

impl Engine {
    /// Nothing is connected or started here.
    pub fn new(project_dir: impl Into<PathBuf>) -> Self {
        Engine { project_dir: project_dir.into(), connection: Mutex::new(None), leave: Arc::default() }
    }

    /// The directory that requests are about.
    pub fn project_dir(&self) -> &Path {
        &self.project_dir
    }

    /// Ask, and wait. The engine is started if it does not run; if it dies, the failure says so and
    /// the next request starts another.
    pub fn request(
        &self,
        request: Request,
        on_event: &mut dyn FnMut(Event),
        cancel: &AtomicBool,
    ) -> Result<Response, Failure> {
        let mut connection = self.lock();
        let connected = match connection.take() {
            Some(connected) => connected,
            None => connect_or_spawn(ConnectOptions::from_env(&self.project_dir))?,
        };
        let connected = connection.insert(connected);
        connected.leave_when(self.leave.clone());
        connected.request(request, on_event, Some(cancel))
    }

    /// Ask something quick, if the engine is there and free; for completion.
    pub fn peek(&self, request: Request) -> Option<Response> {
        let mut connection = self.connection.try_lock().ok()?;
        connection.as_mut()?.request(request, &mut |_| {}, None).ok()
    }

    /// Leave what is being waited for: it goes on in the engine, and the wait ends.
    pub fn leave(&self) {
        self.leave.store(true, Ordering::Relaxed);
    }

    /// The opposite of [`Engine::leave`].
    pub fn stay(&self) {
        self.leave.store(false, Ordering::Relaxed);
    }

    /// A panic while the lock was held left the connection in an unknown state: forget it.
    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(|poisoned| {
            let mut connection = poisoned.into_inner();
            *connection = None;
            self.connection.clear_poison();
            connection
        })
    }
}
