//! Linux: `/proc`, `statfs(2)`, `uname(2)`.

use std::fs;
use std::path::Path;

use super::FileSystem;

/// File systems on which machines share files, by their magic number in `statfs(2)`'s manual page
/// and the kernel's `include/uapi/linux/magic.h`; Lustre, GPFS and BeeGFS from their own sources.
const NETWORK_FILE_SYSTEMS: [(u64, &str); 12] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB2"),
    (0xFF53_4D42, "CIFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x6573_5546, "FUSE"),
];

/// What kind of file system `dir` lies on. A directory that cannot be asked counts as local; the
/// journal's probe decides then.
pub fn file_system(dir: &Path) -> FileSystem {
    let magic = rustix::fs::statfs(dir).map_or(0, |stat| stat.f_type as u64 & 0xFFFF_FFFF);
    NETWORK_FILE_SYSTEMS
        .iter()
        .find(|(number, _)| *number == magic)
        .map_or(FileSystem::Local, |(_, name)| FileSystem::Network(name))
}

/// The processor's own name.
pub fn processor_name() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    ["model name", "Model", "Hardware", "cpu"]
        .iter()
        .find_map(|key| field(&info, key))
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

/// Memory of the machine, or what a container may use of it, in bytes.
pub fn memory_bytes() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let machine = field(&info, "MemTotal").and_then(|text| kibibytes(&text)).unwrap_or(0);
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    match limit.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(limit) if limit < machine => limit,
        _ => machine,
    }
}

/// Memory that could be taken now without swapping, in bytes.
pub fn available_bytes() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let machine = field(&info, "MemAvailable").and_then(|text| kibibytes(&text)).unwrap_or(0);
    machine.min(memory_bytes())
}

/// Memory that this process holds, in bytes.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    field(&status, "VmRSS").and_then(|text| kibibytes(&text)).unwrap_or(0)
}

/// Changes with every boot, so that a process id of an earlier boot is never taken for a live one.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// When process `pid` started, in clock ticks since boot; `None` if there is none. Together with
/// the id it names one process for good: ids are used again.
pub fn process_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything; count from its end.
    let mut after_command = stat.rsplit_once(')')?.1.split_whitespace();
    let state = after_command.next()?;
    // A zombie has ended; only its parent has not noticed.
    if state == "Z" || state == "X" {
        return None;
    }
    after_command.nth(18)?.parse().ok()
}

/// The machine's name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The account.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The value behind the first `key: value` line.
fn field(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_owned())
    })
}

fn kibibytes(text: &str) -> Option<u64> {
    Some(text.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests;
