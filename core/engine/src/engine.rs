//! What lives as long as the process: models in memory, the worker, live runs, who is here.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use luthier_protocol::{EngineBody, PROTOCOL_VERSION};

use crate::Error;
use crate::call::Calls;
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::hub::Hub;
use crate::models::{Builtins, LoadedModels};
use crate::os;
use crate::outbox::Unwritten;
use crate::plugins::Plugins;
use crate::presence::Presence;
use crate::runs::LiveRuns;
use crate::store::Owner;
use crate::worker::Worker;

/// Version and build, as handshakes, adapters and signatures carry it.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+cpu");

/// The engine.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    clock: Clock,
    presence: Presence,
    unwritten: Unwritten,
    worker: Worker,
    calls: Mutex<Vec<Weak<Calls>>>,
    owner: Owner,
    pub(crate) builtins: Builtins,
    pub(crate) loaded: LoadedModels,
    pub(crate) plugins: Plugins,
    pub(crate) live: LiveRuns,
    pub(crate) hub: Hub,
}

impl Engine {
    /// Start the worker; nothing is loaded yet.
    pub fn start(config: EngineConfig, clock: Clock) -> Result<Arc<Engine>, Error> {
        let pid = std::process::id();
        let owner = Owner {
            host: os::host_name(),
            boot_id: os::boot_id(),
            pid,
            process_start: os::process_start(pid).unwrap_or_default(),
        };
        let here = std::path::Path::new("the device thread");
        Ok(Arc::new(Engine {
            presence: Presence::new(clock),
            unwritten: Unwritten::default(),
            worker: Worker::start().map_err(|source| Error::io("start", here, source))?,
            calls: Mutex::default(),
            owner,
            builtins: Builtins::new(config.cache_dir.as_deref(), &config.temp_dir)?,
            loaded: LoadedModels::new(os::memory_bytes() / 2),
            plugins: Plugins::new(&config)?,
            live: LiveRuns::default(),
            hub: Hub::new(config.hub.clone()),
            config,
            clock,
        }))
    }

    /// Connections and work in hand.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The only clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Version and build.
    pub fn build(&self) -> &'static str {
        BUILD
    }

    /// Pause what runs, with a checkpoint, give up what waits, and let the last answers out. Takes
    /// at most about `limit`.
    pub fn stop(&self, limit: Duration) {
        self.presence.leave();
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter_map(Weak::upgrade).for_each(|calls| calls.cancel_all());
        drop(calls);
        // Runs whose client is gone belong to no connection any more.
        self.live.cancel_all();
        self.presence.wait_for_work(limit);
        self.flush();
    }

    /// Wait until every message is written, for a second at most: a client may not be reading.
    fn flush(&self) {
        for _ in 0..100 {
            if self.unwritten.load(Ordering::SeqCst) == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn hello(&self) -> EngineBody {
        EngineBody::Hello {
            protocol_version: PROTOCOL_VERSION,
            build: BUILD.to_owned(),
            device: "cpu".to_owned(),
            pid: std::process::id(),
        }
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The account's name.
    pub(crate) fn account(&self) -> &str {
        &self.config.account
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(crate) fn unwritten(&self) -> &Unwritten {
        &self.unwritten
    }

    /// Calls of a new connection; the engine stops them when it ends.
    pub(crate) fn new_calls(&self) -> Arc<Calls> {
        let calls = Arc::new(Calls::default());
        let mut all = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|calls| calls.strong_count() > 0);
        all.push(Arc::downgrade(&calls));
        calls
    }
}
