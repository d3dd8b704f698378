//! Log lines: kept with the run, shown when a call fails, limited in rate and size by the host.
//! Natively they go nowhere.

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// For whoever reads the run.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Writes one line.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::guest::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (level, message);
}

/// Writes one line at level `Info`.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Writes one line at level `Warn`.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}
