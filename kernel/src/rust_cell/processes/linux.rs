//! Linux: `/proc` and `prctl(2)`.

use std::collections::BTreeMap;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// A cell must not go on when nobody watches it any more.
pub(in super::super) fn die_with_parent() {
    // Only a very old or a locked-down kernel refuses; the process then ends at its next command.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
}

/// Kill all that this process has started, and what those have, except one and its own. Returns how
/// many there were.
pub(in super::super) fn kill_descendants_except(spared: Option<u32>) -> usize {
    let children = children_by_parent();
    let mut waiting = vec![std::process::id()];
    let mut killed = 0;
    while let Some(parent) = waiting.pop() {
        for child in children.get(&parent).into_iter().flatten().filter(|child| Some(**child) != spared) {
            waiting.push(*child);
            if let Some(pid) = i32::try_from(*child).ok().and_then(Pid::from_raw) {
                killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
            }
        }
    }
    killed
}

/// A process and all below it.
pub(in super::super) fn tree(root: u32) -> Vec<u32> {
    let children = children_by_parent();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.get(pid).into_iter().flatten());
        next += 1;
    }
    found
}

fn children_by_parent() -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return children };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The command in parentheses may hold anything; the parent is the second field after it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}
