//! Ctrl-C: the first stops the work in good order, the second ends the program.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};

/// From now on SIGINT and SIGTERM set the flag; a second one exits with code 130, as shells expect.
pub(super) fn cancel_on_ctrl_c(cancel: Arc<AtomicBool>) {
    let listen = async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.swap(true, Ordering::SeqCst) {
                leave();
            }
            eprintln!("stopping; a run is saved as a checkpoint first (again to leave at once)");
        }
    };
    std::thread::spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(listen);
        }
    });
}

#[allow(clippy::exit, reason = "the second Ctrl-C means: now, whatever the main thread waits for")]
fn leave() -> ! {
    std::process::exit(130)
}
