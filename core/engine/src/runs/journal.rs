//! `events.jsonl`: what a run said, one event per line, appended as it happens. Nothing depends on
//! it: a journal that cannot be written or read costs the replay, not the run.
//!
//! It is also all that is kept of a live run's story: followers read it from here, so that a run of
//! a million steps holds none of them in memory.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use luthier_protocol::Event;

/// The file's name in a run's directory.
pub(super) const FILE_NAME: &str = "events.jsonl";

/// How an event that starts or resumes a run looks in the file: its tag comes first.
const STARTED: &[u8] = b"{\"event\":\"run_started\"";

/// The journal of a run that is being trained.
#[derive(Debug)]
pub struct Journal {
    file: Option<File>,
    n_bytes: u64,
}

impl Journal {
    /// Append to the journal in `run_dir`.
    pub fn open(run_dir: &Path) -> Journal {
        let path = run_dir.join(FILE_NAME);
        let file = OpenOptions::new().create(true).append(true).open(&path).ok();
        let n_bytes = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
        let mut journal = Journal { file, n_bytes };
        if n_bytes > 0 && last_byte(&path) != Some(b'\n') {
            // A killed engine's broken line must not swallow the next one.
            journal.write(b"\n");
        }
        journal
    }

    /// Add one event, in one write: a killed engine leaves at most one broken line, the last.
    pub fn append(&mut self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        self.write(&line);
    }

    /// How much of the file may be read.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        match file.write_all(bytes) {
            Ok(()) => self.n_bytes += bytes.len() as u64,
            Err(_) => self.file = None,
        }
    }
}

fn last_byte(path: &Path) -> Option<u8> {
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::End(-1)).ok()?;
    let mut byte = [0];
    file.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

/// The events of a run's directory as one uninterrupted run would have told them: a resumption takes
/// back the steps that were lost with the engine.
pub(crate) fn replay(run_dir: &Path, sink: &mut dyn FnMut(Event)) {
    let Ok(metadata) = std::fs::metadata(run_dir.join(FILE_NAME)) else { return };
    Story::default().tell(run_dir, metadata.len(), sink);
}

/// A follower's place in a journal.
#[derive(Debug, Default)]
pub(super) struct Story {
    told: u64,
}

impl Story {
    /// Pass on what the first `n_bytes` of the journal hold beyond what was told before. A resumption
    /// among the news begins the whole story again.
    pub(super) fn tell(&mut self, run_dir: &Path, n_bytes: u64, sink: &mut dyn FnMut(Event)) {
        let path = run_dir.join(FILE_NAME);
        if self.told >= n_bytes {
            return;
        }
        if self.told > 0 && starts(&path, self.told, n_bytes).is_empty() {
            lines(&path, self.told, n_bytes, |_, line| parse(line).into_iter().for_each(&mut *sink));
        } else {
            from_the_beginning(&path, n_bytes, sink);
        }
        self.told = n_bytes;
    }
}

/// Where runs start or resume within a part of the file, and the step from which each went on.
fn starts(path: &Path, from: u64, to: u64) -> Vec<(u64, Event)> {
    let mut found = Vec::new();
    lines(path, from, to, |at, line| {
        if line.starts_with(STARTED) {
            found.extend(parse(line).map(|event| (at, event)));
        }
    });
    found
}

fn from_the_beginning(path: &Path, n_bytes: u64, sink: &mut dyn FnMut(Event)) {
    let starts = starts(path, 0, n_bytes);
    if let Some((_, latest)) = starts.last() {
        sink(latest.clone());
    }
    lines(path, 0, n_bytes, |at, line| {
        let Some(event) = parse(line) else { return };
        let later = starts.iter().filter(|(start, _)| *start > at);
        let safe = later.filter_map(|(_, event)| match event {
            Event::RunStarted { resumed_from, .. } => Some(resumed_from.unwrap_or(0)),
            _ => None,
        });
        let survives = |step: u64| safe.clone().all(|safe| step <= safe);
        let stays = match &event {
            Event::Step(step) => survives(step.global_step),
            Event::Evaluated(evaluation) => survives(evaluation.global_step),
            Event::Checkpoint { step, .. } => survives(*step),
            Event::RunStarted { .. } => false,
            _ => true,
        };
        if stays {
            sink(event);
        }
    });
}

fn parse(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line).ok()
}

/// Each whole line between two places, with the place where it begins.
fn lines(path: &Path, from: u64, to: u64, mut each: impl FnMut(u64, &[u8])) {
    let Ok(mut file) = File::open(path) else { return };
    if file.seek(SeekFrom::Start(from)).is_err() {
        return;
    }
    let mut reader = BufReader::with_capacity(1 << 16, file.take(to.saturating_sub(from)));
    let (mut at, mut line) = (from, Vec::new());
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        each(at, line.trim_ascii_end());
        at += line.len() as u64;
        line.clear();
    }
}

#[cfg(test)]
mod tests;
