//! What the kernel says about itself.

use serde_json::{Value, json};

use crate::wire::PROTOCOL_VERSION;

/// The content of `kernel_info_reply`. Pure, so that it is answered before anything is loaded.
pub(crate) fn kernel_info() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "status": "ok",
        "protocol_version": PROTOCOL_VERSION,
        "implementation": "luthier",
        "implementation_version": version,
        "language_info": {
            "name": "rust",
            "version": env!("CARGO_PKG_RUST_VERSION"),
            "mimetype": "text/x-rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
            "nbconvert_exporter": "script",
        },
        "banner": format!(
            "Luthier {version}: adapt language models to a task, and measure it.\n\
             %help lists the commands; %%command cells take TOML; anything else is Rust."
        ),
        "help_links": [],
        "debugger": false,
        "supported_features": [],
    })
}

/// The content of `usage_reply`: this process and its machine, as far as `/proc` tells.
pub(crate) fn usage() -> Value {
    json!({
        "status": "ok",
        "pid": std::process::id(),
        "kernel_memory": resident_bytes(),
        "cpu_count": std::thread::available_parallelism().map(usize::from).ok(),
    })
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
