//! Where the time of a step goes: named spans, their own time, and the floating-point work in them.
//!
//! ```text
//! start(); … steps …; let profile = finish().unwrap();
//! op                      calls     own time   share   GFLOP/s
//! linear, forward           448      1.832 s    41 %     143.1
//! ```
//!
//! Spans nest; a span's own time is its time less that of the spans in it. They are opened by whoever
//! calls an op, never inside a parallel loop. While nothing is recorded a span costs one load.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Spans that are kept one by one; of later ones only the sums.
const MAX_EVENTS: usize = 100_000;

static ON: AtomicBool = AtomicBool::new(false);
static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

thread_local! {
    /// Time of the finished spans inside the open one.
    static INSIDE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

struct Recorder {
    since: Instant,
    ops: BTreeMap<&'static str, OpTime>,
    events: Vec<Event>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// By op, the longest first.
    pub ops: Vec<OpTime>,
    /// The first spans, in the order in which they ended.
    pub events: Vec<Event>,
    /// From [`start`] to [`finish`].
    pub seconds: f64,
}

/// One op's part.
#[derive(Debug, Clone, PartialEq)]
pub struct OpTime {
    /// Such as `linear, forward`.
    pub name: &'static str,
    /// Spans.
    pub calls: u64,
    /// Own time of all of them.
    pub seconds: f64,
    /// Multiplications and additions of matrix products; 0 for other work.
    pub flops: f64,
}

/// One span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The op.
    pub name: &'static str,
    /// Since [`start`].
    pub start_us: f64,
    /// With the spans inside.
    pub duration_us: f64,
    /// As in [`OpTime`].
    pub flops: f64,
}

/// Begins to record, on all threads; what was recorded before is lost.
pub fn start() {
    if let Ok(mut recorder) = RECORDER.lock() {
        *recorder = Some(Recorder { since: Instant::now(), ops: BTreeMap::new(), events: Vec::new() });
        ON.store(true, Ordering::Relaxed);
    }
}

/// Ends recording; `None` if nothing was begun.
pub fn finish() -> Option<Profile> {
    ON.store(false, Ordering::Relaxed);
    let Recorder { since, ops, events } = RECORDER.lock().ok()?.take()?;
    let mut ops: Vec<OpTime> = ops.into_values().collect();
    ops.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    Some(Profile { ops, events, seconds: since.elapsed().as_secs_f64() })
}

/// A span that ends when it is dropped.
#[must_use = "a span ends when it is dropped"]
pub struct Span(Option<Open>);

struct Open {
    name: &'static str,
    flops: f64,
    since: Instant,
    /// What was inside the surrounding span so far.
    outside: Duration,
}

/// Begins a span of `flops` floating-point operations.
pub fn span(name: &'static str, flops: impl FnOnce() -> f64) -> Span {
    if !ON.load(Ordering::Relaxed) {
        return Span(None);
    }
    let outside = INSIDE.replace(Duration::ZERO);
    Span(Some(Open { name, flops: flops(), since: Instant::now(), outside }))
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(Open { name, flops, since, outside }) = self.0.take() else { return };
        let duration = since.elapsed();
        let own = duration.saturating_sub(INSIDE.replace(outside + duration));
        if let Ok(mut recorder) = RECORDER.lock()
            && let Some(recorder) = recorder.as_mut()
        {
            recorder.add(name, flops, since, duration, own);
        }
    }
}

impl Recorder {
    fn add(&mut self, name: &'static str, flops: f64, since: Instant, duration: Duration, own: Duration) {
        let op = self.ops.entry(name).or_insert(OpTime { name, calls: 0, seconds: 0.0, flops: 0.0 });
        op.calls += 1;
        op.seconds += own.as_secs_f64();
        op.flops += flops;
        if self.events.len() < MAX_EVENTS {
            let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
            let start_us = micros(since.saturating_duration_since(self.since));
            self.events.push(Event { name, start_us, duration_us: micros(duration), flops });
        }
    }
}

impl Profile {
    /// The spans as Chrome's and Perfetto's trace format, JSON.
    pub fn to_chrome_trace(&self) -> String {
        let events: Vec<serde_json::Value> = self
            .events
            .iter()
            .map(|event| {
                serde_json::json!({
                    "name": event.name, "ph": "X", "pid": 1, "tid": 1, "ts": event.start_us, "dur": event.duration_us,
                    "args": { "gflop": event.flops / 1e9 },
                })
            })
            .collect();
        serde_json::json!({ "displayTimeUnit": "ms", "traceEvents": events }).to_string()
    }
}
