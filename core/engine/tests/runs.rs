//! Runs: watched, paused, resumed, killed.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use common::{EngineProcess, finetune, project, recipe, weights};
use luthier_protocol::response::{Finetuned, RunInfo};
use luthier_protocol::{ClientBody, Event, Failure, FailureKind, Request, Response};

fn finetuned(outcome: Result<Response, Failure>) -> Finetuned {
    match outcome {
        Ok(Response::Finetuned(finetuned)) => finetuned,
        other => panic!("not finetuned: {other:?}"),
    }
}

fn runs(client: &mut common::Client) -> Vec<RunInfo> {
    match client.call(Request::Runs) {
        Ok(Response::Runs { runs }) => runs,
        other => panic!("no runs: {other:?}"),
    }
}

fn is_step(least: u64) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Step(step) if step.global_step >= least)
}

#[test]
fn a_run_leaves_an_adapter_and_its_story() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let done = finetuned(client.call(finetune(recipe("a", 6))));
    assert_eq!((done.steps, done.run.as_str(), done.name.as_str()), (6, "a-1", "a"));
    assert_eq!(done.losses.len(), 6);
    assert!(done.final_loss.is_finite() && done.n_trainable > 0 && done.n_examples > 10);
    let n_steps = client.events.iter().filter(|event| is_step(1)(event)).count();
    assert_eq!(n_steps, 6);
    assert!(client.events.iter().any(|event| matches!(event, Event::RunStarted { total_steps: 6, .. })));

    let dir = std::path::Path::new(&done.adapter_dir);
    for file in ["adapter_config.json", "adapter_model.safetensors", "luthier.json"] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    let listed = runs(&mut client);
    assert_eq!((listed[0].status.as_str(), listed[0].global_step), ("finished", 6));

    // Whoever comes later is told everything.
    let followed = finetuned(client.call(Request::Follow { run: "a-1".into() }));
    assert_eq!(followed, done);
    assert_eq!(client.events.iter().filter(|event| is_step(1)(event)).count(), 6);
}

#[test]
fn a_run_over_standard_input_and_output_is_the_same_run() {
    let (engine, project) = (EngineProcess::start(), project());
    finetuned(engine.client(project.path()).call(finetune(recipe("socket", 6))));

    let runtime = tempfile::tempdir().unwrap();
    let mut child = common::process::command(runtime.path())
        .arg("--stdio")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let streams = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let mut client = common::Client::over(streams.0, streams.1, project.path());
    finetuned(client.call(finetune(recipe("stdio", 6))));
    assert_eq!(weights(project.path(), "stdio"), weights(project.path(), "socket"));

    // A run that its client leaves behind is finished before the process ends.
    client.send(finetune(recipe("left", 20)));
    client.wait_for(is_step(1));
    drop(client);
    assert!(child.wait().unwrap().success());
    assert_eq!(runs(&mut engine.client(project.path()))[0].status, "finished");
}

#[test]
fn all_weights_can_be_trained_and_are_a_model_of_their_own() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut spec = recipe("full", 4);
    spec.method = luthier_protocol::spec::Method::Full;
    spec.train.learning_rate = 1e-3;
    let done = finetuned(client.call(finetune(spec)));
    for file in ["config.json", "model.safetensors", "tokenizer.json", "luthier.json"] {
        assert!(std::path::Path::new(&done.adapter_dir).join(file).is_file(), "{file}");
    }
    for model in ["full", done.adapter_dir.as_str()] {
        let spec = luthier_protocol::spec::AskSpec {
            model: model.into(),
            prompt: "say 4".into(),
            data: Some("rows.jsonl".into()),
            ..Default::default()
        };
        assert!(matches!(client.call(Request::Ask(spec)), Ok(Response::Asked(_))));
    }
    finetuned(client.call(finetune({
        let mut spec = recipe("on-full", 2);
        spec.model = "full".into();
        spec
    })));
}

#[test]
fn every_method_trains_an_adapter_that_answers() {
    use luthier_protocol::spec::{BiasSpec, Method};
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    for method in [Method::Rslora, Method::Dora, Method::Pissa, Method::Ia3, Method::Qlora] {
        let mut spec = recipe(method.name(), 4);
        spec.method = method;
        spec.train.learning_rate = 1e-2;
        spec.lora.modules_to_save = vec!["model.norm".into()];
        if method == Method::Ia3 {
            spec.lora = luthier_protocol::spec::LoraSpec::default();
        }
        let done = finetuned(client.call(finetune(spec)));
        assert!(done.final_loss.is_finite() && done.n_trainable > 0, "{}", method.name());
        let spec = luthier_protocol::spec::AskSpec {
            model: method.name().into(),
            prompt: "say 4".into(),
            data: Some("rows.jsonl".into()),
            ..Default::default()
        };
        let answer = client.call(Request::Ask(spec));
        assert!(matches!(answer, Ok(Response::Asked(_))), "{}: {answer:?}", method.name());
    }
    let mut wrong = recipe("wrong", 2);
    wrong.lora.modules_to_save = vec!["scores".into()];
    let failure = client.call(finetune(wrong)).unwrap_err();
    assert_eq!(
        (failure.kind, failure.location.map(|at| at.pointer)),
        (FailureKind::InvalidRequest, Some("/lora/modules_to_save".to_owned()))
    );
    let mut wrong = recipe("wrong", 2);
    wrong.lora.target_modules = vec!["q_prj".into()];
    let failure = client.call(finetune(wrong)).unwrap_err();
    assert_eq!(failure.hint.as_deref(), Some("did you mean \"q_proj\"?"));
    let mut wrong = recipe("wrong", 2);
    (wrong.method, wrong.lora.bias) = (Method::Full, BiasSpec::All);
    assert_eq!(client.call(finetune(wrong)).unwrap_err().kind, FailureKind::InvalidRequest);
}

#[test]
fn adapters_are_attached_combined_and_detached() {
    use luthier_protocol::spec::{AskSpec, AttachSpec};
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    for name in ["a", "b"] {
        finetuned(client.call(finetune(recipe(name, 3))));
    }
    let names = |outcome: Result<Response, Failure>| match outcome {
        Ok(Response::Adapters { adapters }) => adapters.into_iter().map(|it| it.name).collect::<Vec<_>>(),
        other => panic!("not attached: {other:?}"),
    };
    let both = AttachSpec { adapters: vec!["a".into(), "b".into()], ..AttachSpec::default() };
    assert_eq!(names(client.call(Request::Attach(both.clone()))), ["a", "b"]);
    let mixed = AttachSpec { weights: vec![0.25, 0.75], name: Some("mixed".into()), ..both.clone() };
    assert_eq!(names(client.call(Request::Attach(mixed.clone()))), ["a", "b", "mixed"]);
    let spec = |model: &str| AskSpec {
        model: model.into(),
        prompt: "say 4".into(),
        data: Some("rows.jsonl".into()),
        ..AskSpec::default()
    };
    for model in ["a", "mixed"] {
        assert!(matches!(client.call(Request::Ask(spec(model))), Ok(Response::Asked(_))), "{model}");
    }
    assert_eq!(client.call(Request::Attach(mixed)).unwrap_err().kind, FailureKind::AlreadyExists);
    let wrong = AttachSpec { weights: vec![1.0], name: Some("other".into()), ..both.clone() };
    assert_eq!(client.call(Request::Attach(wrong)).unwrap_err().kind, FailureKind::InvalidRequest);
    let model = AttachSpec { adapters: vec!["model".into()], ..AttachSpec::default() };
    assert_eq!(client.call(Request::Attach(model)).unwrap_err().kind, FailureKind::InvalidRequest);
    let detach = |name: Option<&str>| Request::Detach { adapter: name.map(str::to_owned) };
    assert_eq!(names(client.call(detach(Some("a")))), ["b", "mixed"]);
    assert!(client.call(detach(Some("a"))).is_err());
    assert!(names(client.call(detach(None))).is_empty());
}

#[test]
fn a_name_is_not_taken_twice_unasked() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    finetuned(client.call(finetune(recipe("a", 2))));
    let failure = client.call(finetune(recipe("a", 2))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::AlreadyExists);
    assert_eq!(failure.location.unwrap().pointer, "/name");
    let mut spec = recipe("a", 3);
    spec.overwrite = true;
    assert_eq!(finetuned(client.call(finetune(spec))).run, "a-2");
    let failure = client.call(finetune(recipe("pico", 2))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::AlreadyExists, "a built-in name stays what it is");
}

#[test]
fn lists_answer_while_a_run_trains_and_cancel_leaves_a_checkpoint() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    finetuned(client.call(finetune(recipe("whole", 400))));

    let id = client.send(finetune(recipe("halved", 400)));
    client.wait_for(is_step(3));
    let mut other = engine.client(project.path());
    let listed = runs(&mut other);
    assert_eq!((listed[0].run.as_str(), listed[0].status.as_str()), ("halved-1", "running"));
    other.call(Request::Device).unwrap();
    other.call(Request::Models).unwrap();

    client.say(ClientBody::Cancel { request: id });
    let failure = client.finish(id).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert!(failure.message.contains("halved-1") && failure.hint.unwrap().contains("resume halved-1"));
    assert_eq!(runs(&mut other)[0].status, "paused");

    let resumed = finetuned(other.call(Request::Resume { run: "halved-1".into() }));
    assert_eq!((resumed.steps, resumed.losses.len()), (400, 400));
    assert_eq!(weights(project.path(), "halved"), weights(project.path(), "whole"));
    let again = other.call(Request::Resume { run: "halved-1".into() }).unwrap_err();
    assert!(again.message.contains("finished"), "{}", again.message);
}

#[test]
fn a_killed_engine_breaks_no_run_for_good() {
    let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
    let project = project();
    let mut engine = EngineProcess::start_in(runtime.path(), "600");
    let mut client = engine.client(project.path());
    finetuned(client.call(finetune(recipe("whole", 120))));
    client.send(finetune(recipe("killed", 120)));
    client.wait_for(|event| matches!(event, Event::Checkpoint { step, .. } if *step >= 8));
    engine.kill();
    drop(client);

    let engine = EngineProcess::start_in(runtime.path(), "600");
    let mut client = engine.client(project.path());
    let listed = runs(&mut client);
    assert_eq!((listed[0].run.as_str(), listed[0].status.as_str()), ("killed-1", "broken"));
    let failure = client.call(Request::Follow { run: "killed-1".into() }).unwrap_err();
    assert!(failure.message.contains("broken") && failure.hint.unwrap().contains("resume killed-1"));

    let resumed = finetuned(client.call(Request::Resume { run: "killed-1".into() }));
    let started = client.events.iter().find_map(|event| match event {
        Event::RunStarted { resumed_from, .. } => Some(*resumed_from),
        _ => None,
    });
    assert!(started.flatten().unwrap() >= 8, "it goes on from a checkpoint");
    assert_eq!(resumed.losses.len(), 120);
    assert_eq!(weights(project.path(), "killed"), weights(project.path(), "whole"));
}

#[test]
fn a_run_survives_its_client_and_can_be_followed_and_cancelled() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    client.send(finetune(recipe("long", 1_000_000)));
    client.wait_for(is_step(1));
    drop(client);

    let mut follower = engine.client(project.path());
    let id = follower.send(Request::Follow { run: "long-1".into() });
    let first = follower.wait_for(is_step(0));
    assert!(matches!(first, Event::Step(step) if step.global_step == 1), "from the beginning");

    let mut other = engine.client(project.path());
    assert!(matches!(other.call(Request::CancelRun { run: "long-1".into() }), Ok(Response::Done)));
    assert_eq!(runs(&mut other)[0].status, "paused");
    let failure = follower.finish(id).unwrap_err();
    assert!(failure.message.contains("paused"), "{}", failure.message);
    let failure = other.call(Request::CancelRun { run: "long-1".into() }).unwrap_err();
    assert!(failure.message.contains("paused"), "{}", failure.message);
}

#[test]
fn sigterm_pauses_a_run() {
    let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
    let project = project();
    let mut engine = EngineProcess::start_in(runtime.path(), "600");
    let mut client = engine.client(project.path());
    let id = client.send(finetune(recipe("long", 1_000_000)));
    client.wait_for(is_step(2));
    engine.terminate();
    assert_eq!(client.finish(id).unwrap_err().kind, FailureKind::Interrupted);
    assert!(engine.wait().success());
    let engine = EngineProcess::start_in(runtime.path(), "600");
    assert_eq!(runs(&mut engine.client(project.path()))[0].status, "paused");
}

#[test]
fn work_that_waits_says_for_what_and_can_be_given_up() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    client.send(finetune(recipe("long", 1_000_000)));
    client.wait_for(is_step(1));
    let mut other = engine.client(project.path());
    let id = other.send(Request::Load { model: "model".into(), name: None, accept_base: false });
    let warning = other.wait_for(|event| matches!(event, Event::Warning { .. }));
    assert!(matches!(warning, Event::Warning { message } if message.contains("finetune long")));
    other.say(ClientBody::Cancel { request: id });
    assert_eq!(other.finish(id).unwrap_err().kind, FailureKind::Interrupted);
}

#[test]
fn bad_recipes_point_at_their_fault() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    type Spoil = fn(&mut luthier_protocol::spec::FinetuneSpec);
    let cases: [(&str, Spoil, FailureKind); 8] = [
        ("/model", |spec| spec.model = "modle".into(), FailureKind::NotFound),
        ("/model", |spec| spec.model = "meta-llama/Llama-3".into(), FailureKind::NotFound),
        ("/data", |spec| spec.data = "nothing".into(), FailureKind::NotFound),
        ("/data", |spec| spec.data = "missing.jsonl".into(), FailureKind::NotFound),
        ("/split", |spec| spec.split = "dev".into(), FailureKind::Data),
        ("/lora/target_modules", |spec| spec.lora.target_modules = vec!["c_attn".into()], FailureKind::InvalidRequest),
        ("/train/learning_rate", |spec| spec.train.learning_rate = -1.0, FailureKind::InvalidRequest),
        ("/train/max_seq_len", |spec| spec.train.max_seq_len = Some(10_000), FailureKind::InvalidRequest),
    ];
    for (pointer, spoil, kind) in cases {
        let mut spec = recipe("bad", 2);
        spoil(&mut spec);
        let failure = client.call(finetune(spec)).unwrap_err();
        assert_eq!(failure.location.as_ref().map(|at| at.pointer.as_str()), Some(pointer), "{failure:?}");
        assert_eq!(failure.kind, kind, "{failure:?}");
    }
    assert_eq!(runs(&mut client).len(), 0, "nothing of this became a run");
    finetuned(client.call(finetune(recipe("good", 2))));
}
