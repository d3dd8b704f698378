//! What a long request shows while it runs: one line under one `display_id`, updated in place, and
//! for training a loss chart under another.
//!
//! Time comes in as an argument. A display is sent at most five times a second (the chart once a
//! second, and in ever wider steps for long runs): IOPub queues and saved notebooks are finite.

use std::time::{Duration, Instant};

use luthier_protocol::{EvalEvent, Event, StepEvent};

use super::{MimeBundle, chart, html, number, text};
use crate::screen::{Screen, Stream};

const LINE_INTERVAL: Duration = Duration::from_millis(200);
const CHART_INTERVAL: Duration = Duration::from_secs(1);

/// Nothing is shown for requests that answer within this time.
const PATIENCE: Duration = Duration::from_millis(300);

/// Of a text that is being generated, this much is shown while it grows.
const TAIL_CHARACTERS: usize = 60;

/// Turns events into displays.
pub struct Progress {
    title: String,
    started: Instant,
    line: Option<Shown>,
    chart: Option<Shown>,
    stage: Option<Stage>,
    run: Option<Run>,
    /// The end of the text generated so far.
    tail: String,
}

struct Shown {
    display_id: String,
    at: Instant,
}

struct Stage {
    name: String,
    done: u64,
    total: Option<u64>,
    since: Instant,
}

struct Run {
    id: String,
    total_steps: u64,
    last: Option<StepEvent>,
    losses: Vec<(u64, f64)>,
    eval_losses: Vec<(u64, f64)>,
    first_seen: Option<(u64, f64)>,
}

impl Progress {
    /// Progress of one request; `title` as `finetune shop-sql`.
    pub fn new(title: impl Into<String>, now: Instant) -> Self {
        Progress {
            title: title.into(),
            started: now,
            line: None,
            chart: None,
            stage: None,
            run: None,
            tail: String::new(),
        }
    }

    /// Take note of an event, and show what is due.
    pub fn on_event(&mut self, event: &Event, now: Instant, screen: &mut dyn Screen) {
        match event {
            Event::RunStarted { run, total_steps, resumed_from, .. } => {
                if let Some(step) = resumed_from {
                    screen.text(Stream::Stdout, &format!("run {run} goes on from step {step}\n"));
                }
                self.stage = None;
                self.run = Some(Run {
                    id: run.clone(),
                    total_steps: *total_steps,
                    last: None,
                    losses: Vec::new(),
                    eval_losses: Vec::new(),
                    first_seen: None,
                });
            }
            Event::Step(step) => self.step(step),
            Event::Evaluated(evaluation) => self.evaluated(evaluation),
            Event::Text { text } => self.generated(text),
            Event::Checkpoint { .. } => return,
            Event::Progress { stage, done, total } => self.stage(stage, *done, *total, now),
            Event::Warning { message } => {
                screen.text(Stream::Stderr, &format!("warning: {}\n", text::clean(message)));
                return;
            }
        }
        if now.duration_since(self.started) < PATIENCE && self.run.is_none() {
            return;
        }
        self.show_line(now, screen, false, None);
        self.show_chart(now, screen, false);
    }

    /// The last state, which the notebook keeps. `ending` says how it ended, if not well.
    pub fn finish(&mut self, ending: Option<&str>, now: Instant, screen: &mut dyn Screen) {
        if self.line.is_some() {
            self.show_line(now, screen, true, Some(ending.unwrap_or("done")));
        }
        self.show_chart(now, screen, true);
    }

    fn step(&mut self, step: &StepEvent) {
        let run = self.run.get_or_insert_with(|| Run {
            id: step.run.clone(),
            total_steps: step.total_steps,
            last: None,
            losses: Vec::new(),
            eval_losses: Vec::new(),
            first_seen: None,
        });
        run.total_steps = step.total_steps;
        run.first_seen.get_or_insert((step.global_step.saturating_sub(1), 0.0));
        run.losses.push((step.global_step, step.loss));
        run.last = Some(step.clone());
        self.stage = None;
    }

    fn evaluated(&mut self, evaluation: &EvalEvent) {
        if let Some(run) = &mut self.run {
            run.eval_losses.push((evaluation.global_step, evaluation.loss));
        }
    }

    fn generated(&mut self, text: &str) {
        self.tail.push_str(text);
        if let Some((cut, _)) = self.tail.char_indices().rev().nth(TAIL_CHARACTERS) {
            self.tail.drain(..cut);
        }
    }

    fn stage(&mut self, name: &str, done: u64, total: Option<u64>, now: Instant) {
        match &mut self.stage {
            Some(stage) if stage.name == name => {
                stage.done = done;
                stage.total = total;
            }
            _ => self.stage = Some(Stage { name: name.to_owned(), done, total, since: now }),
        }
    }

    fn show_line(&mut self, now: Instant, screen: &mut dyn Screen, last: bool, ending: Option<&str>) {
        let due = self.line.as_ref().is_none_or(|shown| now.duration_since(shown.at) >= LINE_INTERVAL);
        if due || last {
            let bundle = self.bundle(now, ending);
            show(&mut self.line, &bundle, now, screen);
        }
    }

    fn show_chart(&mut self, now: Instant, screen: &mut dyn Screen, last: bool) {
        let Some(run) = &self.run else { return };
        if run.losses.len() < 2 {
            return;
        }
        // A run of hours is not redrawn every second: one hundredth of the time so far is enough.
        let interval = CHART_INTERVAL.max(now.duration_since(self.started) / 100);
        let due = self.chart.as_ref().is_none_or(|shown| now.duration_since(shown.at) >= interval);
        if due || last {
            let bundle = chart::loss(&run.losses, &run.eval_losses);
            show(&mut self.chart, &bundle, now, screen);
        }
    }

    fn bundle(&self, now: Instant, ending: Option<&str>) -> MimeBundle {
        let (done, total, details) = match (&self.stage, &self.run) {
            (None, Some(run)) => run.state(),
            (Some(stage), _) => stage.state(now),
            (None, None) if self.tail.is_empty() || ending.is_some() => (0, None, Vec::new()),
            (None, None) => (0, None, vec![format!("…{}", text::one_line(&self.tail))]),
        };
        let mut parts = vec![self.title.clone()];
        parts.extend(details);
        match ending {
            Some(ending) => {
                parts.retain(|part| !part.ends_with(" left"));
                parts.push(format!(
                    "{ending} after {}",
                    number::seconds(now.duration_since(self.started).as_secs_f64())
                ));
            }
            None => parts.push(number::seconds(now.duration_since(self.started).as_secs_f64())),
        }
        let line = parts.join(" · ");
        let Some(total) = total.filter(|total| *total > 0) else {
            return MimeBundle::text(&line).html(format!("<div>{}</div>", html::escape(&line)));
        };
        let share = (done as f64 / total as f64).clamp(0.0, 1.0);
        MimeBundle::text(format!("{} {line}", text_bar(share))).html(format!(
            "<div>{} {}</div>",
            html_bar(share),
            html::escape(&line)
        ))
    }
}

fn show(slot: &mut Option<Shown>, bundle: &MimeBundle, now: Instant, screen: &mut dyn Screen) {
    match slot {
        Some(shown) => {
            shown.at = now;
            screen.update(bundle, &shown.display_id);
        }
        None => {
            let display_id = uuid::Uuid::new_v4().to_string();
            screen.show(bundle, Some(&display_id));
            *slot = Some(Shown { display_id, at: now });
        }
    }
}

impl Stage {
    fn state(&self, now: Instant) -> (u64, Option<u64>, Vec<String>) {
        let is_transfer = ["download ", "upload "].iter().any(|verb| self.name.starts_with(verb));
        let figure = if is_transfer { number::bytes } else { number::count };
        let amount = match self.total {
            Some(total) => format!("{} {}/{}", text::one_line(&self.name), figure(self.done), figure(total)),
            None if self.done > 0 => format!("{} {}", text::one_line(&self.name), number::count(self.done)),
            None => text::one_line(&self.name),
        };
        let elapsed = now.duration_since(self.since).as_secs_f64();
        let left = self
            .total
            .filter(|total| self.done > 0 && *total > self.done && elapsed > 1.0)
            .map(|total| format!("{} left", number::seconds(elapsed / self.done as f64 * (total - self.done) as f64)));
        (self.done, self.total, std::iter::once(amount).chain(left).collect())
    }
}

impl Run {
    fn state(&self) -> (u64, Option<u64>, Vec<String>) {
        let Some(step) = &self.last else {
            return (
                0,
                Some(self.total_steps),
                vec![format!("run {}", self.id), format!("{} steps", number::count(self.total_steps))],
            );
        };
        let mut parts = vec![
            format!("step {}/{}", number::count(step.global_step), number::count(self.total_steps)),
            format!("epoch {:.2}", step.epoch),
            format!("loss {}", number::loss(step.loss)),
            self.eval_losses.last().map(|(_, loss)| format!("eval loss {}", number::loss(*loss))).unwrap_or_default(),
            format!("{} tokens/s", number::count(step.tokens_per_second.max(0.0) as u64)),
        ];
        parts.retain(|part| !part.is_empty());
        let done_here = step.global_step.saturating_sub(self.first_seen.map_or(0, |(step, _)| step));
        let to_go = self.total_steps.saturating_sub(step.global_step);
        if to_go > 0 && done_here > 0 && step.elapsed_s > 1.0 {
            parts.push(format!("{} left", number::seconds(step.elapsed_s / done_here as f64 * to_go as f64)));
        }
        (step.global_step, Some(self.total_steps), parts)
    }
}

fn text_bar(share: f64) -> String {
    const WIDTH: usize = 20;
    let full = (share * WIDTH as f64).round() as usize;
    format!("{}{}", "━".repeat(full), "─".repeat(WIDTH - full))
}

fn html_bar(share: f64) -> String {
    format!(
        "<span style=\"display:inline-block;width:10em;height:.6em;border-radius:.3em;background:rgba(128,128,128,.25);overflow:hidden;vertical-align:middle\">\
         <span style=\"display:block;height:100%;width:{:.1}%;background:rgba(37,99,235,.85)\"></span></span>",
        share * 100.0
    )
}

#[cfg(test)]
mod tests;
