//! What the kernel says about itself.

use serde_json::{Value, json};

use crate::{rust_cell::RustCells, session::Session, wire::PROTOCOL_VERSION};

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
        "supported_features": ["kernel subshells"],
    })
}

/// The content of `usage_reply`, with the fields that ipykernel's has: this process with the processes
/// it has started (the compiler and the cells; not the engine, which serves other kernels, too), and
/// its machine, as far as `/proc` tells.
pub(crate) fn usage(session: &Session) -> Value {
    json!({
        "status": "ok",
        "pid": std::process::id(),
        "hostname": std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim(),
        "kernel_memory": resident_with_cells(session),
        "cpu_count": std::thread::available_parallelism().map(usize::from).ok(),
        "host_virtual_memory": host_memory(),
    })
}

fn resident_with_cells(session: &Session) -> Option<u64> {
    let own = resident_bytes(std::process::id())?;
    let cells = session.rust_if_started().map(RustCells::process_ids).unwrap_or_default();
    Some(cells.into_iter().filter_map(resident_bytes).fold(own, u64::saturating_add))
}

fn resident_bytes(pid: u32) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

fn host_memory() -> Option<Value> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let (total, available) = (kilobytes(&text, "MemTotal:")?, kilobytes(&text, "MemAvailable:")?);
    let used = total.saturating_sub(available);
    let percent = (used as f64 / total.max(1) as f64 * 1000.0).round() / 10.0;
    Some(json!({"total": total, "available": available, "used": used, "percent": percent}))
}

/// The value of a line such as `VmRSS:   1234 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
