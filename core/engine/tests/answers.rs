//! Asking, evaluating, scoring in the client.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use common::{Client, EngineProcess, finetune, project, recipe};
use luthier_protocol::response::{Asked, Evaluation};
use luthier_protocol::spec::{ArmSpec, ArmTable, AskSpec, DatasetSpec, EvaluateSpec, GenerationSpec};
use luthier_protocol::{Event, Failure, FailureKind, Request, Response};

fn asked(outcome: Result<Response, Failure>) -> Asked {
    match outcome {
        Ok(Response::Asked(asked)) => asked,
        other => panic!("not answered: {other:?}"),
    }
}

fn evaluated(outcome: Result<Response, Failure>) -> Evaluation {
    match outcome {
        Ok(Response::Evaluated(evaluation)) => evaluation,
        other => panic!("not evaluated: {other:?}"),
    }
}

fn ask(model: &str, prompt: &str) -> AskSpec {
    let generation = GenerationSpec { max_new_tokens: 12, ..GenerationSpec::default() };
    AskSpec { model: model.into(), prompt: prompt.into(), generation, ..AskSpec::default() }
}

fn evaluation(models: &[&str]) -> EvaluateSpec {
    let value = serde_json::json!({
        "models": models, "data": "rows.jsonl", "split": "train", "generation": { "max_new_tokens": 8 },
    });
    serde_json::from_value(value).unwrap()
}

fn streamed(client: &Client) -> String {
    let text = |event: &Event| match event {
        Event::Text { text } => Some(text.clone()),
        _ => None,
    };
    client.events.iter().filter_map(text).collect()
}

#[test]
fn a_prompt_is_continued_as_it_stands_or_chatted() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let plain = asked(client.call(Request::Ask(ask("model", "abc"))));
    assert_eq!(plain.rendered, "abc");
    assert_eq!(plain.n_prompt_tokens, 4, "BOS as tokenizer.json adds it");
    assert_eq!(streamed(&client), plain.completion);
    let again = asked(client.call(Request::Ask(ask("model", "abc"))));
    assert_eq!(again.completion, plain.completion, "greedy is greedy");

    let chat = asked(client.call(Request::Ask(AskSpec { chat: true, ..ask("model", "abc") })));
    assert_eq!(chat.rendered, "<s>[U]abc[A]");
    let directory = project.path().join("model").display().to_string();
    assert_eq!(asked(client.call(Request::Ask(ask(&directory, "abc")))).completion, plain.completion);
}

#[test]
fn a_stop_string_ends_the_text_before_itself() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let whole = asked(client.call(Request::Ask(ask("model", "abc")))).completion;
    let middle: String = whole.chars().skip(2).take(2).collect();
    let mut spec = ask("model", "abc");
    spec.generation.stop = vec![middle.clone()];
    let cut = asked(client.call(Request::Ask(spec)));
    assert_eq!(cut.completion, whole[..whole.find(&middle).unwrap()]);
    assert_eq!(cut.finish_reason, "stop");
    assert_eq!(streamed(&client), cut.completion);
}

#[test]
fn an_adapter_learns_is_scored_and_leads() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut spec = recipe("learned", 150);
    spec.lora.r = 8;
    client.call(finetune(spec)).unwrap();

    let result = evaluated(client.call(Request::Evaluate(EvaluateSpec {
        name: Some("first".into()),
        predictions: Some("out/predictions.parquet".into()),
        ..evaluation(&["model", "learned"])
    })));
    let means: Vec<f64> = result.rows.iter().map(|row| row.mean.unwrap()).collect();
    assert!(means[1] > means[0], "{means:?}");
    assert!(result.rows.iter().all(|row| row.metric == "exact-match" && row.coverage == 1.0));
    assert!(result.rows.iter().all(|row| !row.signature.id.is_empty() && !row.signature.local));
    assert_ne!(result.rows[0].signature.adapter, result.rows[1].signature.adapter);
    assert_eq!(result.comparisons.len(), 1);
    assert!(project.path().join("out/predictions.parquet").is_file());

    // The order of arms and a second time change nothing.
    let turned = evaluated(client.call(Request::Evaluate(evaluation(&["learned", "model"]))));
    assert_eq!(turned.rows[0].mean.unwrap(), means[1]);
    assert_eq!(turned.rows[0].signature, result.rows[1].signature);
    let Ok(Response::Leaderboard { rows }) = client.call(Request::Leaderboard) else { panic!("no leaderboard") };
    assert_eq!((rows[0].model.as_str(), rows.len()), ("learned", 2));

    // Through its task, with an answer taken out.
    let spec = AskSpec { data: Some("rows.jsonl".into()), ..ask("learned", "say 4") };
    let answer = asked(client.call(Request::Ask(spec)));
    assert_eq!(answer.rendered, "<s>[U]say 4[A]");
    assert_eq!(answer.answer.as_deref(), Some(answer.completion.trim()));
}

#[test]
fn examples_are_shown_the_same_to_every_row() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let spec = AskSpec { data: Some("rows.jsonl".into()), num_fewshot: 2, ..ask("model", "say 4") };
    let first = asked(client.call(Request::Ask(spec.clone())));
    assert_eq!(first.rendered.matches("[U]").count(), 3);
    assert!(first.rendered.ends_with("[U]say 4[A]"));
    assert_eq!(asked(client.call(Request::Ask(spec))).rendered, first.rendered);

    let arm = ArmSpec::Full(ArmTable { model: "model".into(), num_fewshot: 2, name: None, base_url: None });
    let mut spec = evaluation(&[]);
    spec.models = vec![ArmSpec::Name("model".into()), arm];
    let rows = evaluated(client.call(Request::Evaluate(spec))).rows;
    let labels: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(labels, ["model", "model 2-shot"]);
    assert_eq!(rows[1].signature.num_fewshot, 2);
}

#[test]
fn a_client_scores_by_itself_and_the_signature_says_so() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let Ok(Response::Predicted { predictions, path, n_rows, .. }) =
        client.call(Request::Predict(evaluation(&["model"])))
    else {
        panic!("not predicted")
    };
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len() as u64, n_rows);
    assert!(rows[0]["prompt"].as_str().unwrap().starts_with("say") && rows[0]["arm"] == "model");

    let mut scores: Vec<Option<f64>> =
        rows.iter().map(|row| Some(row["prediction"].as_str().unwrap().len() as f64)).collect();
    scores[0] = None;
    let record = |scores: &[Option<f64>]| Request::RecordLocal {
        predictions: predictions.clone(),
        metric: "length".into(),
        scores: scores.to_vec(),
    };
    let row = evaluated(client.call(record(&scores))).rows.remove(0);
    assert!(row.signature.local && row.coverage < 1.0 && row.errors["no-score"] == 1);
    assert_eq!(row.interval, "bootstrap(1000)");
    let failure = client.call(record(&scores[1..])).unwrap_err();
    assert_eq!(failure.location.unwrap().pointer, "/scores");
}

#[test]
fn a_changed_template_is_refused_where_it_matters() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    client.call(finetune(recipe("a", 2))).unwrap();
    std::fs::write(
        project.path().join("model/chat_template.jinja"),
        "{% for m in messages %}Q {{ m.content }}{% endfor %}",
    )
    .unwrap();
    let failure = client.call(Request::Ask(AskSpec { chat: true, ..ask("a", "x") })).unwrap_err();
    assert!(failure.message.contains("chat template"), "{}", failure.message);
    assert!(client.call(Request::Evaluate(evaluation(&["a"]))).is_err());
    asked(client.call(Request::Ask(ask("a", "plain text needs no template"))));
}

#[test]
fn a_file_that_changed_is_imported_again() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let show = || {
        Request::Show(luthier_protocol::spec::ShowSpec {
            data: "rows.jsonl".into(),
            limit: 2,
            tokens_of: Some("model".into()),
            ..Default::default()
        })
    };
    let Ok(Response::Shown(shown)) = client.call(show()) else { panic!("not shown") };
    assert_eq!((shown.n_rows, shown.rows.len(), shown.tokens.len()), (20, 2, 2));
    let targets: String =
        shown.tokens[0].iter().filter(|token| token.target).map(|token| token.text.as_str()).collect();
    assert_eq!(targets, "0</s>", "the loss sees the completion and its end");

    std::fs::write(project.path().join("rows.jsonl"), "{\"prompt\": \"a\", \"completion\": \"b\"}\n".repeat(3))
        .unwrap();
    let Ok(Response::Shown(shown)) = client.call(show()) else { panic!("not shown") };
    assert_eq!(shown.n_rows, 3);
    let Ok(Response::Datasets { datasets }) = client.call(Request::Datasets) else { panic!("no datasets") };
    assert_eq!(datasets.len(), 1);
    let Ok(Response::Rows { path, n_rows, .. }) = client.call(Request::Rows { data: "rows".into(), split: None })
    else {
        panic!("no rows")
    };
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count() as u64, n_rows);
}

#[test]
fn a_dataset_is_made_once_and_replaced_on_request_only() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let spec = DatasetSpec { name: Some("d".into()), path: Some("rows.jsonl".into()), ..DatasetSpec::default() };
    let Ok(Response::Dataset(made)) = client.call(Request::Dataset(spec.clone())) else { panic!("not made") };
    assert_eq!(made.accounting.requested, made.accounting.kept);
    let Ok(Response::Dataset(again)) = client.call(Request::Dataset(spec.clone())) else { panic!("not made") };
    assert_eq!(made, again, "a notebook may be run twice");
    let other = DatasetSpec { splits: [("train".to_owned(), 1.0)].into(), ..spec };
    let failure = client.call(Request::Dataset(other.clone())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::AlreadyExists);
    let Ok(Response::Dataset(replaced)) = client.call(Request::Dataset(DatasetSpec { overwrite: true, ..other }))
    else {
        panic!("not replaced")
    };
    assert_eq!(replaced.splits.len(), 1);
}

#[test]
fn damaged_models_are_named() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let model = project.path().join("model");
    let load =
        |client: &mut Client| client.call(Request::Load { model: "model".into(), name: None, accept_base: false });
    let weights = std::fs::read(model.join("model.safetensors")).unwrap();
    std::fs::write(model.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let failure = load(&mut client).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Model);
    assert!(failure.message.contains("model.safetensors"), "{}", failure.message);
    std::fs::write(model.join("model.safetensors"), &weights).unwrap();
    std::fs::rename(model.join("tokenizer.json"), model.join("t.json")).unwrap();
    let failure = load(&mut client).unwrap_err();
    assert!(failure.message.contains("tokenizer.json"), "{}", failure.message);
    std::fs::rename(model.join("t.json"), model.join("tokenizer.json")).unwrap();
    assert!(matches!(load(&mut client), Ok(Response::Loaded(info)) if info.loaded && info.n_layers == 2));
}
