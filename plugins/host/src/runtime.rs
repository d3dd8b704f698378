//! The one wasmtime engine of a host, and its clock.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::{Config, Engine, Strategy};

use crate::Error;
use crate::cache::Cache;
use crate::exec::Python;
use crate::limits::WASM_STACK_BYTES;

/// Time between two looks at the cancel flag and the backstop.
pub(crate) const EPOCH: Duration = Duration::from_millis(50);

/// The engine; its clock thread ends with it.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    running: Arc<AtomicBool>,
    /// The interpreter of generated programs: where it may be, and once it is needed, what came of it.
    python_path: Option<PathBuf>,
    python: OnceLock<Result<Python, String>>,
    pub(crate) cache: Option<Cache>,
}

impl Runtime {
    pub(crate) fn new(cache_dir: Option<PathBuf>, python_path: Option<PathBuf>) -> Result<Self, Error> {
        let engine = Engine::new(&reproducible()).map_err(|error| Error::Runtime { detail: error.to_string() })?;
        let running = Arc::new(AtomicBool::new(true));
        let (ticked, flag) = (engine.clone(), running.clone());
        std::thread::Builder::new()
            .name("plugin-epoch".to_owned())
            .spawn(move || {
                while flag.load(Ordering::Relaxed) {
                    std::thread::sleep(EPOCH);
                    ticked.increment_epoch();
                }
            })
            .map_err(|error| Error::Runtime { detail: format!("cannot start the epoch thread: {error}") })?;
        let cache = cache_dir.map(|directory| Cache::new(directory, code_key(&engine)));
        Ok(Self { engine, running, python_path, python: OnceLock::new(), cache })
    }

    /// The interpreter, compiled at its first use; `None` if none is installed.
    pub(crate) fn python(&self) -> Option<&Result<Python, String>> {
        let path = self.python_path.as_deref().filter(|path| path.exists())?;
        Some(self.python.get_or_init(|| Python::load(&self.engine, path, self.cache.as_ref())))
    }
}

/// Changes with everything that changes compiled code: wasmtime's version, its settings, the processor's features.
pub(crate) fn code_key(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
    }
}

/// Metered in fuel and with canonical NaNs, so that the same input gives the same output and the
/// same fuel on any machine. Every proposal that guests do not need is off: most advisories of 2026
/// are in them.
fn reproducible() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .gc_support(false)
        .wasm_component_model(true)
        .concurrency_support(false)
        .wasm_threads(false)
        .shared_memory(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        // Small, so that containers with a limit on virtual memory work; the price is bounds checks.
        .memory_reservation(64 << 20);
    config
}
