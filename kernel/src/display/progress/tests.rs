use std::time::{Duration, Instant};

use luthier_protocol::{Event, StepEvent};

use super::Progress;
use crate::{
    display::MimeBundle,
    screen::{Screen, Stream},
};

/// Remembers what was shown: id and text.
#[derive(Default)]
struct Recorder {
    shown: Vec<(String, String)>,
    updated: Vec<(String, String)>,
    text: String,
}

impl Screen for Recorder {
    fn text(&mut self, _: Stream, text: &str) {
        self.text.push_str(text);
    }

    fn show(&mut self, bundle: &MimeBundle, display_id: Option<&str>) {
        self.shown.push((display_id.unwrap_or_default().into(), bundle.plain().into()));
    }

    fn update(&mut self, bundle: &MimeBundle, display_id: &str) {
        self.updated.push((display_id.into(), bundle.plain().into()));
    }

    fn clear(&mut self, _wait: bool) {}

    fn input(&mut self, _prompt: &str, _password: bool) -> Result<String, String> {
        Err("nobody to ask".into())
    }
}

fn step(global_step: u64) -> Event {
    Event::Step(StepEvent {
        run: "r1".into(),
        global_step,
        total_steps: 1000,
        epoch: global_step as f64 / 500.0,
        loss: 2.0 / global_step as f64,
        metrics: Default::default(),
        learning_rate: 1e-3,
        grad_norm: 1.0,
        n_target_tokens: 64,
        tokens_per_second: 12_345.0,
        elapsed_s: global_step as f64 * 0.01,
    })
}

#[test]
fn a_run_is_one_line_and_one_chart_updated_at_a_bounded_rate() {
    let (mut recorder, start) = (Recorder::default(), Instant::now());
    let mut progress = Progress::new("finetune shop-sql", start);
    let started =
        Event::RunStarted { run: "r1".into(), name: "shop-sql".into(), total_steps: 1000, resumed_from: None };
    progress.on_event(&started, start, &mut recorder);
    for n in 1..=1000 {
        progress.on_event(&step(n), start + Duration::from_millis(10 * n), &mut recorder);
    }
    progress.finish(None, start + Duration::from_secs(10), &mut recorder);
    assert_eq!(recorder.shown.len(), 2, "a line and a chart: {:?}", recorder.shown);
    let (line, chart) = (&recorder.shown[0].0, &recorder.shown[1].0);
    let updates = |id: &String| recorder.updated.iter().filter(|(updated, _)| updated == id).count();
    assert!(updates(line) <= 51, "{} line updates in 10 s", updates(line));
    assert!(updates(chart) <= 11, "{} chart updates in 10 s", updates(chart));
    let last = &recorder.updated.iter().rev().find(|(id, _)| id == line).unwrap().1;
    insta::assert_snapshot!(last);
}

#[test]
fn quick_work_shows_no_line() {
    let (mut recorder, start) = (Recorder::default(), Instant::now());
    let mut progress = Progress::new("dataset shop", start);
    let event = Event::Progress { stage: "import".into(), done: 10, total: Some(20) };
    progress.on_event(&event, start + Duration::from_millis(100), &mut recorder);
    progress.finish(None, start + Duration::from_millis(200), &mut recorder);
    assert!(recorder.shown.is_empty());
}

#[test]
fn an_interrupted_run_says_so_where_it_stood() {
    let (mut recorder, start) = (Recorder::default(), Instant::now());
    let mut progress = Progress::new("finetune x", start);
    progress.on_event(&step(40), start + Duration::from_secs(1), &mut recorder);
    progress.finish(Some("interrupted"), start + Duration::from_secs(2), &mut recorder);
    let last = &recorder.updated.last().unwrap().1;
    assert!(last.contains("step 40/1000") && last.contains("interrupted after 2.0 s"), "{last}");
}

#[test]
fn warnings_and_resumption_are_told_at_once() {
    let (mut recorder, start) = (Recorder::default(), Instant::now());
    let mut progress = Progress::new("resume r1", start);
    let resumed = Event::RunStarted { run: "r1".into(), name: "x".into(), total_steps: 10, resumed_from: Some(4) };
    progress.on_event(&resumed, start, &mut recorder);
    progress.on_event(&Event::Warning { message: "3 rows\u{1b}[2J dropped".into() }, start, &mut recorder);
    assert_eq!(recorder.text, "run r1 goes on from step 4\nwarning: 3 rows dropped\n");
}

#[test]
fn text_that_grows_is_shown_by_its_end() {
    let (mut recorder, start) = (Recorder::default(), Instant::now());
    let mut progress = Progress::new("ask pico", start);
    for n in 0..200u64 {
        progress.on_event(
            &Event::Text { text: format!("word{n}\n") },
            start + Duration::from_millis(10 * n),
            &mut recorder,
        );
    }
    let last = &recorder.updated.last().unwrap().1;
    assert!(last.starts_with("ask pico · …") && last.contains("word18"), "{last}");
    assert!(last.chars().count() < 100, "{last}");
}
