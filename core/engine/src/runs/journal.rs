//! `events.jsonl`: what a run said, one event per line, appended as it happens. Nothing depends on
//! it: a journal that cannot be written or read costs the replay, not the run.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use luthier_protocol::Event;

/// The file's name in a run's directory.
pub(super) const FILE_NAME: &str = "events.jsonl";

/// A journal is read up to here; a run of a million steps has about 250 MB.
const MAX_BYTES: u64 = 512 << 20;

/// The journal of a run that is being trained.
#[derive(Debug)]
pub struct Journal {
    file: Option<File>,
}

impl Journal {
    /// Append to the journal in `run_dir`.
    pub fn open(run_dir: &Path) -> Journal {
        Journal { file: OpenOptions::new().create(true).append(true).open(run_dir.join(FILE_NAME)).ok() }
    }

    /// Add one event, in one write: a killed engine leaves at most one broken line, the last.
    pub fn append(&mut self, event: &Event) {
        let Some(file) = &mut self.file else { return };
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        if file.write_all(&line).is_err() {
            self.file = None;
        }
    }
}

/// The events of a run's directory as one uninterrupted run would have told them.
pub(crate) fn replay(run_dir: &Path) -> Vec<Event> {
    let Ok(file) = File::open(run_dir.join(FILE_NAME)) else { return Vec::new() };
    let lines = BufReader::new(file.take(MAX_BYTES)).lines().map_while(Result::ok);
    let mut events = Vec::new();
    lines.filter_map(|line| serde_json::from_str(&line).ok()).for_each(|event| push(&mut events, event));
    events
}

/// Add an event; a resumption takes back the steps that were lost with the engine.
pub(super) fn push(events: &mut Vec<Event>, event: Event) {
    if let Event::RunStarted { resumed_from, .. } = &event {
        let safe = resumed_from.unwrap_or(0);
        events.retain(|event| match event {
            Event::Step(step) => step.global_step <= safe,
            Event::Checkpoint { step, .. } => *step <= safe,
            Event::RunStarted { .. } => false,
            _ => true,
        });
        events.insert(0, event);
        return;
    }
    events.push(event);
}

#[cfg(test)]
mod tests;
