//! What the engine asks of the operating system. One file per system; nothing else knows which.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{
    available_bytes, boot_id, effective_uid, file_system, host_name, memory_bytes, process_start, processor_name,
    resident_bytes,
};

#[cfg(not(target_os = "linux"))]
compile_error!("luthier-engine runs on Linux; another system needs its own file in core/engine/src/os/");

/// Where a directory lives, as far as locking and shared memory are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// A disk or memory of this machine.
    Local,
    /// Shared between machines: SQLite's WAL index in shared memory cannot work there.
    Network(&'static str),
}
