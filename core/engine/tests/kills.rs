//! `kill -9` at twenty random points of one run: resumed each time, it ends with the bytes of a run
//! that nobody disturbed.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use std::time::Duration;

use common::{EngineProcess, finetune, project, recipe, weights};
use luthier_protocol::spec::{FinetuneSpec, Optimizer};
use luthier_protocol::{Event, Request, Response};

const N_KILLS: u64 = 20;

/// Between two kills the run gets at least this far, and at most `MOST` steps farther.
const LEAST: u64 = 2;
const MOST: u64 = 9;

fn spec(name: &str) -> FinetuneSpec {
    let mut spec = recipe(name, N_KILLS * MOST + 5);
    spec.lora.dropout = 0.1;
    spec.train.optimizer = Optimizer::AdamW8bit;
    // Most kills find a checkpoint half written, or just written.
    spec.train.checkpoint_steps = 1;
    spec.train.eval_steps = 7;
    spec.train.load_best = true;
    spec
}

/// Numbers that look random and are the same in every run of the test.
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

#[test]
fn twenty_kills_leave_no_trace_in_the_result() {
    let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
    let project = project();
    {
        let engine = EngineProcess::start_in(runtime.path(), "600");
        let mut client = engine.client(project.path());
        assert!(matches!(client.call(finetune(spec("whole"))), Ok(Response::Finetuned(_))));
    }
    let mut reached = Vec::new();
    for kill in 0..N_KILLS {
        let mut engine = EngineProcess::start_in(runtime.path(), "600");
        let mut client = engine.client(project.path());
        let request = match kill {
            0 => finetune(spec("killed")),
            _ => Request::Resume { run: "killed-1".into() },
        };
        client.send(request);
        let steps = LEAST + random(kill) % (MOST - LEAST);
        let mut seen = 0;
        let last = loop {
            let event = client.wait_for(|event| matches!(event, Event::Step(_)));
            seen += 1;
            if let (Event::Step(step), true) = (event, seen >= steps) {
                break step.global_step;
            }
        };
        // Anywhere within the next steps and the saving of their checkpoints.
        std::thread::sleep(Duration::from_micros(random(1000 + kill) % 6000));
        engine.kill();
        reached.push(last);
    }
    assert!(reached.windows(2).all(|pair| pair[1] > pair[0].saturating_sub(3)), "it gets on: {reached:?}");
    let engine = EngineProcess::start_in(runtime.path(), "600");
    let mut client = engine.client(project.path());
    let done = match client.call(Request::Resume { run: "killed-1".into() }) {
        Ok(Response::Finetuned(done)) => done,
        other => panic!("not finetuned: {other:?}"),
    };
    assert_eq!(done.steps, N_KILLS * MOST + 5);
    assert_eq!(done.losses.len() as u64, done.steps);
    assert!(weights(project.path(), "killed") == weights(project.path(), "whole"), "kills at steps {reached:?}");

    // The story reads as one run: every step once.
    client.events.clear();
    let id = client.send(Request::Follow { run: "killed-1".into() });
    client.finish(id).unwrap();
    let steps: Vec<u64> = client
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Step(step) => Some(step.global_step),
            _ => None,
        })
        .collect();
    assert_eq!(steps, (1..=done.steps).collect::<Vec<_>>());
}
