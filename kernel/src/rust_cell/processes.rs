//! What Rust cells ask of the operating system about processes. One file per system; on one that has
//! none here, a compilation runs to its end before an interrupt takes effect.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(super) use linux::{die_with_parent, kill_descendants_except, tree};

#[cfg(not(target_os = "linux"))]
pub(super) fn die_with_parent() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn kill_descendants_except(_spared: Option<u32>) -> usize {
    0
}

#[cfg(not(target_os = "linux"))]
pub(super) fn tree(root: u32) -> Vec<u32> {
    vec![root]
}

/// A signal's name and what it means, for people.
pub(super) fn signal_name(signal: i32) -> String {
    // The numbers are the same on all Unix systems that Rust runs on, except SIGBUS.
    match signal {
        2 => "SIGINT, interrupted".into(),
        4 => "SIGILL, illegal instruction".into(),
        6 => "SIGABRT, aborted".into(),
        7 if cfg!(target_os = "linux") => "SIGBUS, bad memory access".into(),
        8 => "SIGFPE, arithmetic error".into(),
        9 => "SIGKILL, killed, perhaps because the machine ran out of memory".into(),
        11 => "SIGSEGV, invalid memory access".into(),
        15 => "SIGTERM, asked to end".into(),
        other => format!("signal {other}"),
    }
}
