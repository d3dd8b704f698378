//! What the environment says, as values.

use std::path::PathBuf;
use std::time::Duration;

use crate::hub::HubSettings;

/// Settings of an engine process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// The engine ends when nobody has been connected and nothing has run for this long.
    pub idle: Duration,
    /// `$XDG_CACHE_HOME/luthier`: files that may be deleted at any time. Without one, a temporary
    /// directory that ends with the process.
    pub cache_dir: Option<PathBuf>,
    /// Where a directory that ends with the process can be made.
    pub temp_dir: PathBuf,
    /// The Hugging Face hub: its address, its cache, how to log in.
    pub hub: HubSettings,
    /// The interpreter of generated programs (`cargo xtask guests --python`); it need not exist.
    pub python: Option<PathBuf>,
    /// Name of the account: who reviews rows, unless they say otherwise.
    pub account: String,
    /// Worker threads, as the thread pool will have them.
    pub threads: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            idle: Duration::from_secs(1800),
            cache_dir: None,
            temp_dir: PathBuf::from("/tmp"),
            python: None,
            hub: HubSettings::default(),
            account: format!("uid {}", crate::os::effective_uid()),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }
}
