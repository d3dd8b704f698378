//! Whether a run that is stored as running still is.

use crate::engine::Engine;
use crate::os;
use crate::project::Project;
use crate::store::{Owner, RunRecord, RunStatus};

/// A run on another machine that has not been heard of for this long is taken for broken. Its
/// engine writes after every step, at most every two seconds; ten minutes is a long step.
const SILENCE_MS: u64 = 10 * 60 * 1000;

/// The record with the status that is true now.
pub(crate) fn current(engine: &Engine, project: &Project, record: RunRecord) -> RunRecord {
    if record.status != RunStatus::Running || engine.live.get(project.root(), &record.run).is_some() {
        return record;
    }
    let silent_ms = engine.clock().unix_ms().saturating_sub(record.updated_ms);
    match is_alive(&record.owner, engine.owner(), silent_ms) {
        true => RunRecord { message: Some(format!("on {}", record.owner.host)), ..record },
        false => RunRecord {
            status: RunStatus::Broken,
            message: Some(format!(
                "the engine (process {}) ended while the run was at step {}; `resume {}` goes on from its last checkpoint",
                record.owner.pid, record.global_step, record.run
            )),
            ..record
        },
    }
}

/// Is the engine that works on a run still there? Within this engine, a run that is not live is not.
fn is_alive(owner: &Owner, here: &Owner, silent_ms: u64) -> bool {
    if owner.host != here.host {
        return silent_ms < SILENCE_MS;
    }
    owner != here && owner.boot_id == here.boot_id && os::process_start(owner.pid) == Some(owner.process_start)
}

#[cfg(test)]
mod tests;
