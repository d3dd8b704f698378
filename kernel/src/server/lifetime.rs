//! Reasons to end that no message announces: signals, and a parent process that has gone.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Shared;

/// Resolves when the process should end. SIGINT means what an interrupt request means.
pub(crate) async fn ended(shared: &Shared) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    let mut parent = tokio::time::interval(Duration::from_secs(1));
    let original = rustix::process::getppid();
    // Jupyter says which process started the kernel; without it the kernel was started by hand
    // and outlives its shell.
    let watched = std::env::var_os("JPY_PARENT_PID").is_some();
    loop {
        tokio::select! {
            _ = interrupt.recv() => shared.interrupt(),
            _ = terminate.recv() => break,
            _ = parent.tick() => if watched && rustix::process::getppid() != original { break },
        }
    }
    super::control::end_session(shared).await;
}
