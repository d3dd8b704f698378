//! What a recipe can ask of a run, and what is on record of it.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use std::path::Path;

use common::{EngineProcess, finetune, project, recipe, weights};
use luthier_protocol::response::{Finetuned, RunDetails, RunDiff, TrainingCheck};
use luthier_protocol::spec::{FinetuneSpec, Objective, Optimizer, Schedule};
use luthier_protocol::{Event, FailureKind, Request, Response};

fn finetuned(client: &mut common::Client, spec: FinetuneSpec) -> Finetuned {
    match client.call(finetune(spec)) {
        Ok(Response::Finetuned(finetuned)) => finetuned,
        other => panic!("not finetuned: {other:?}"),
    }
}

fn details(client: &mut common::Client, run: &str) -> RunDetails {
    match client.call(Request::RunRecord { run: run.into() }) {
        Ok(Response::RunRecord(details)) => details,
        other => panic!("no record: {other:?}"),
    }
}

fn diff(client: &mut common::Client, run: &str, against: &str) -> RunDiff {
    match client.call(Request::RunDiff { run: run.into(), against: against.into() }) {
        Ok(Response::RunDiff(diff)) => diff,
        other => panic!("no diff: {other:?}"),
    }
}

fn value<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    pairs.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value)
}

/// A recipe that overfits at once, so that evaluations get worse.
fn overfitting(name: &str) -> FinetuneSpec {
    let mut spec = recipe(name, 200);
    spec.lora.r = 8;
    spec.train.learning_rate = 0.1;
    spec.train.schedule = Schedule::Constant;
    spec.train.warmup_steps = Some(0);
    spec.train.eval_steps = 4;
    spec.train.early_stopping_patience = Some(2);
    spec
}

#[test]
fn a_run_evaluates_stops_early_and_keeps_its_best_weights() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let done = finetuned(&mut client, overfitting("watched"));
    assert!(done.stopped_early && done.steps < 200, "{:?}", done.eval_losses);
    let lowest = done.eval_losses.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    let best = done.best_step.unwrap();
    assert!(done.eval_losses.contains(&(best, lowest)), "{:?}", done.eval_losses);
    let told = client.events.iter().filter(|event| matches!(event, Event::Evaluated(_))).count();
    assert_eq!(told, done.eval_losses.len());

    // The adapter is the one that a run of exactly so many steps leaves.
    let mut short = overfitting("short");
    short.train.max_steps = Some(best);
    short.train.early_stopping_patience = None;
    short.train.eval_steps = 0;
    finetuned(&mut client, short);
    assert_eq!(weights(project.path(), "watched"), weights(project.path(), "short"));
}

#[test]
fn every_optimizer_trains_and_the_result_depends_on_it() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut all = Vec::new();
    for (name, optimizer) in [
        ("adamw", Optimizer::AdamW),
        ("eight", Optimizer::AdamW8bit),
        ("sgd", Optimizer::Sgd),
        ("adafactor", Optimizer::Adafactor),
    ] {
        let mut spec = recipe(name, 30);
        spec.train.optimizer = optimizer;
        if optimizer == Optimizer::Sgd {
            spec.train.learning_rate = 0.1;
        }
        let done = finetuned(&mut client, spec);
        let mean = |losses: &[(u64, f64)]| losses.iter().map(|(_, loss)| loss).sum::<f64>() / losses.len() as f64;
        assert!(mean(&done.losses[25..]) < mean(&done.losses[..5]), "{name}: {:?}", done.losses);
        all.push(weights(project.path(), name));
    }
    // Adapters of this size keep 32-bit moments: both AdamWs agree, the others do not.
    assert_eq!(all[0], all[1]);
    assert!(all[0] != all[2] && all[2] != all[3]);
}

#[test]
fn a_record_says_what_a_run_was_made_of() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    finetuned(&mut client, recipe("a", 6));
    let mut other = recipe("b", 6);
    other.train.learning_rate = 2e-2;
    other.lora.r = 4;
    finetuned(&mut client, other);
    finetuned(&mut client, recipe("again", 6));

    let record = details(&mut client, "a-1");
    assert_eq!(record.status, "finished");
    for key in ["base.fingerprint", "tokenizer", "chat_template", "prompt_renderer", "data.fingerprint"] {
        assert!(value(&record.inputs, key).len() > 20, "{key} is no hash: {:?}", record.inputs);
    }
    assert_eq!(value(&record.inputs, "settings.train.seed"), "0");
    assert_eq!(value(&record.outcome, "steps"), "6");
    assert!(!value(&record.environment, "engine").is_empty() && !value(&record.environment, "processor").is_empty());

    let found = diff(&mut client, "a-1", "b-1");
    let keys: Vec<&str> = found.inputs.iter().map(|difference| difference.key.as_str()).collect();
    assert_eq!(keys, ["settings.lora.r", "settings.train.learning_rate"]);
    assert_eq!(found.inputs[1].run.as_deref(), Some("0.01"));
    assert!(found.outcome.iter().any(|row| row.key == "final_loss" && row.run != row.against));
    let same = diff(&mut client, "a-1", "again-1");
    assert!(same.inputs.is_empty() && same.n_equal > 20 && same.environment.is_empty(), "{:?}", same.inputs);
    assert!(same.outcome.iter().all(|row| row.key != "final_loss" || row.run == row.against));
    let failure = client.call(Request::RunDiff { run: "a-1".into(), against: "zz".into() }).unwrap_err();
    assert_eq!(failure.location.unwrap().pointer, "/against");
}

#[test]
fn metrics_and_a_card_lie_beside_a_run() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut spec = recipe("a", 6);
    spec.train.eval_steps = 3;
    let done = finetuned(&mut client, spec);
    let metrics = details(&mut client, "a-1").metrics.unwrap();
    let bytes = std::fs::read(metrics).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let card = std::fs::read_to_string(Path::new(&done.adapter_dir).join("README.md")).unwrap();
    assert!(card.starts_with("---\nbase_model: "), "{card}");
    for part in ["library_name: peft", "evaluation loss", "`train.learning_rate`", "PeftModel.from_pretrained"] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
}

#[test]
fn a_loss_that_is_not_a_number_names_step_rows_and_what_is_safe() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut spec = recipe("wild", 60);
    spec.train.learning_rate = 1e30;
    spec.train.max_grad_norm = 0.0;
    spec.train.checkpoint_steps = 1;
    spec.train.warmup_steps = Some(0);
    let failure = client.call(finetune(spec)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Training);
    for part in ["step", "tensor", "rows of", "is safe"] {
        assert!(failure.message.contains(part), "{part} is not in: {}", failure.message);
    }
    assert!(failure.hint.unwrap().contains("learning_rate"));
    assert_eq!(details(&mut client, "wild-1").status, "failed");
    finetuned(&mut client, recipe("tame", 2));
}

#[test]
fn preferences_are_learned_from_pairs_and_from_thumbs() {
    let (engine, project) = (EngineProcess::start(), project());
    let pair = |i: usize| {
        format!("{{\"prompt\": \"say {i}\", \"chosen\": \"yes {}\", \"rejected\": \"no {}\"}}\n", i % 3, i % 4)
    };
    std::fs::write(project.path().join("pairs.jsonl"), (0..24).map(pair).collect::<String>()).unwrap();
    let mut client = engine.client(project.path());
    for (name, objective) in [("dpo", Objective::Dpo), ("orpo", Objective::Orpo), ("kto", Objective::Kto)] {
        let mut spec = recipe(name, 40);
        spec.data = "pairs.jsonl".into();
        spec.lora.r = 4;
        spec.train.objective = objective;
        spec.train.batch_size = 8;
        spec.train.eval_steps = 20;
        let done = finetuned(&mut client, spec);
        assert!(done.final_loss < done.losses[0].1 - 0.05, "{name}: {:?}", done.losses);
        let margins: Vec<f64> = client
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Step(step) => step.metrics.get("rewards/margins").copied(),
                _ => None,
            })
            .collect();
        assert!(margins[margins.len() - 1] > margins[0], "{name}: {margins:?}");
        assert_eq!(done.eval_losses.len(), 2, "{name}");
    }
    // Rows without preferences are no food for it.
    let mut spec = recipe("none", 2);
    spec.train.objective = Objective::Dpo;
    let failure = client.call(finetune(spec)).unwrap_err();
    assert!(failure.message.contains("chosen") && failure.message.contains("rejected"), "{}", failure.message);
}

#[test]
fn keys_that_cannot_be_honored_are_refused() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    type Spoil = fn(&mut FinetuneSpec);
    let cases: [(&str, Spoil); 5] = [
        ("/train/eval_split", |spec| (spec.train.eval_steps, spec.train.eval_split) = (2, Some("train".into()))),
        ("/train/eval_steps", |spec| spec.train.early_stopping_patience = Some(2)),
        ("/train/eval_steps", |spec| spec.train.eval_split = Some("test".into())),
        ("/train/keep_checkpoints", |spec| spec.train.keep_checkpoints = 0),
        ("/train/neftune_alpha", |spec| spec.train.neftune_alpha = Some(-1.0)),
    ];
    for (pointer, spoil) in cases {
        let mut spec = recipe("bad", 2);
        spoil(&mut spec);
        let failure = client.call(finetune(spec)).unwrap_err();
        assert_eq!(failure.location.as_ref().map(|at| at.pointer.as_str()), Some(pointer), "{failure:?}");
    }
}

#[test]
fn invariances_are_measured_on_a_recipe() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let check = |client: &mut common::Client, request| -> TrainingCheck {
        match client.call(request) {
            Ok(Response::TrainingChecked(check)) => check,
            other => panic!("not checked: {other:?}"),
        }
    };
    let spec = Some(Box::new(recipe("a", 6)));
    let found = check(&mut client, Request::CheckTraining { spec, recipe: None });
    assert!(found.passed && found.checks.len() >= 7, "{:?}", found.checks);
    assert_eq!(found.n_rows, 8);
    assert!(found.checks.iter().any(|line| line.name == "accumulation" && line.measured > 0.0));

    std::fs::write(
        project.path().join("a.toml"),
        "model = \"model\"\ndata = \"rows.jsonl\"\n[train]\npacking = true\n",
    )
    .unwrap();
    let found = check(&mut client, Request::CheckTraining { spec: None, recipe: Some("a.toml".into()) });
    assert!(found.passed, "{:?}", found.checks);
    // Nothing of this is a run or an adapter.
    assert!(matches!(client.call(Request::Runs), Ok(Response::Runs { runs }) if runs.is_empty()));
    assert!(matches!(client.call(Request::Adapters), Ok(Response::Adapters { adapters }) if adapters.is_empty()));
}

#[test]
fn a_plan_says_what_a_run_would_need_and_a_bad_recipe_fails_as_it_would() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut plan = |spec: FinetuneSpec| match client.call(Request::Plan(spec)) {
        Ok(Response::Planned(plan)) => Ok(plan),
        Ok(other) => panic!("no plan: {other:?}"),
        Err(failure) => Err(failure),
    };
    let part = |plan: &luthier_protocol::response::TrainingPlan, name: &str| {
        plan.parts.iter().find(|part| part.name == name).map_or(0, |part| part.bytes)
    };
    let kept = plan(recipe("planned", 20)).unwrap();
    assert_eq!(kept.total_steps, 20);
    assert_eq!(kept.parts.iter().map(|part| part.bytes).sum::<u64>(), kept.peak_bytes);
    assert!(kept.fits && kept.largest_batch_size > 16 && kept.seconds > 0.0, "{kept:?}");
    let mut spec = recipe("planned", 20);
    spec.train.gradient_checkpointing = true;
    let again = plan(spec).unwrap();
    assert!(part(&again, "activations") < part(&kept, "activations"), "{kept:?} {again:?}");
    let mut bad = recipe("planned", 20);
    bad.lora.target_modules = vec!["no_such_proj".into()];
    let failure = plan(bad).unwrap_err();
    assert_eq!(failure.location.as_ref().map(|at| at.pointer.as_str()), Some("/lora/target_modules"), "{failure:?}");
    assert!(failure.message.contains("no_such_proj"), "{failure:?}");
}

#[test]
fn gradient_checkpointing_leaves_the_same_adapter() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    finetuned(&mut client, recipe("kept", 3));
    let mut spec = recipe("computed", 3);
    spec.train.gradient_checkpointing = true;
    finetuned(&mut client, spec);
    assert_eq!(weights(project.path(), "kept"), weights(project.path(), "computed"));
}
