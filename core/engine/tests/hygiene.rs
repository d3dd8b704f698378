//! Rows of every shape, and the gate that bad ones do not pass.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use common::{Client, EngineProcess, finetune, project, recipe};
use luthier_protocol::response::Shown;
use luthier_protocol::spec::{DatasetSpec, FinetuneSpec, LossOn, OnTooLong, ShowSpec};
use luthier_protocol::{Event, FailureKind, Request, Response};

fn show(client: &mut Client, spec: ShowSpec) -> Shown {
    match client.call(Request::Show(spec)) {
        Ok(Response::Shown(shown)) => shown,
        other => panic!("not shown: {other:?}"),
    }
}

/// What the loss sees of the first row of a file.
fn learned(client: &mut Client, file: &str, loss_on: LossOn) -> String {
    let tokens_of = Some("model".into());
    let spec = ShowSpec { data: file.into(), limit: 1, tokens_of, loss_on, ..ShowSpec::default() };
    let shown = show(client, spec);
    shown.tokens[0].iter().filter(|token| token.target).map(|token| token.text.as_str()).collect()
}

fn write(project: &tempfile::TempDir, file: &str, text: &str) {
    std::fs::write(project.path().join(file), text).unwrap();
}

#[test]
fn rows_of_every_shape_become_what_is_learned() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let chat = "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"one\"},\
                {\"role\":\"user\",\"content\":\"r\"},{\"role\":\"assistant\",\"content\":\"two\"}]";
    write(&project, "chat.jsonl", &format!("{{\"messages\": {chat}}}\n"));
    assert_eq!(learned(&mut client, "chat.jsonl", LossOn::Completion), "two</s>");
    assert_eq!(learned(&mut client, "chat.jsonl", LossOn::LastTurn), "two</s>");
    assert_eq!(learned(&mut client, "chat.jsonl", LossOn::Assistant), "one</s>two</s>");
    assert_eq!(learned(&mut client, "chat.jsonl", LossOn::All), "[U]q[A]one</s>[U]r[A]two</s>");
    let share = chat
        .replace("\"role\"", "\"from\"")
        .replace("\"content\"", "\"value\"")
        .replace("user", "human")
        .replace("assistant", "gpt");
    write(&project, "share.json", &format!("[{{\"conversations\": {share}, \"system\": \"S\"}}]"));
    assert_eq!(learned(&mut client, "share.json", LossOn::All), "[U]S[U]q[A]one</s>[U]r[A]two</s>");
    write(&project, "alpaca.csv", "instruction,input,output\nAdd,1 2,3\n");
    assert_eq!(learned(&mut client, "alpaca.csv", LossOn::All), "[U]Add\n\n1 2[A]3</s>");
    write(&project, "book.txt", "Once upon\n\na time\n");
    assert_eq!(learned(&mut client, "book.txt", LossOn::Completion), "Once upon</s>");
    write(&project, "wiki.jsonl", "{\"text\": \"Raw text\", \"url\": \"u\"}\n");
    assert_eq!(learned(&mut client, "wiki.jsonl", LossOn::Completion), "Raw text</s>");
    write(&project, "prefer.jsonl", "{\"prompt\": \"p\", \"chosen\": \"good\", \"rejected\": \"bad\"}\n");
    assert_eq!(learned(&mut client, "prefer.jsonl", LossOn::All), "[U]p[A]good</s>");
}

#[test]
fn raw_text_can_be_trained_on() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let lines: String = (0..20).map(|i| format!("line number {i}\n")).collect();
    write(&project, "book.txt", &lines);
    let spec = FinetuneSpec { data: "book.txt".into(), ..recipe("text", 2) };
    assert!(matches!(client.call(finetune(spec)), Ok(Response::Finetuned(_))));
}

#[test]
fn faulty_rows_stop_a_run_unless_they_are_allowed() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let row = |i: usize| format!("{{\"prompt\": \"say {i}\", \"completion\": \"{i}!\", \"split\": \"train\"}}\n");
    let good: String = (0..10).map(row).collect();
    write(
        &project,
        "rows.jsonl",
        &format!("{good}{{\"prompt\": \"same\", \"completion\": \"same\", \"split\": \"train\"}}\n"),
    );
    let failure = client.call(finetune(recipe("bad", 2))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Data);
    assert!(failure.message.contains("error identical-pairs: row 11"), "{}", failure.message);
    assert!(failure.message.contains("remedy:") && failure.message.contains("“same” → “same”"), "{}", failure.message);
    assert!(failure.hint.unwrap().contains("allow = [\"identical-pairs\"]"));
    let Ok(Response::Runs { runs }) = client.call(Request::Runs) else { panic!("no runs") };
    assert!(runs.is_empty(), "nothing was begun");

    let allowed = FinetuneSpec { allow: vec!["identical-pairs".into()], ..recipe("bad", 2) };
    let Ok(Response::Finetuned(done)) = client.call(finetune(allowed)) else { panic!("not trained") };
    assert!(done.warnings.iter().any(|warning| warning.starts_with("allowed identical-pairs")), "{:?}", done.warnings);
    let record =
        std::fs::read_to_string(project.path().join(".luthier/runs").join(&done.run).join("recipe.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["findings"][0]["name"], "identical-pairs");
    assert_eq!(record["findings"][0]["allowed"], true);
    assert!(record["data_splits"]["train"].as_str().unwrap().starts_with("sha256:"));

    let unknown = FinetuneSpec { allow: vec!["identical-pair".into()], ..recipe("bad2", 2) };
    let failure = client.call(finetune(unknown)).unwrap_err();
    assert!(failure.message.contains("did you mean `identical-pairs`?"), "{}", failure.message);
    assert_eq!(failure.location.unwrap().pointer, "/allow");
}

#[test]
fn rows_in_two_splits_and_rows_that_are_cut_to_nothing_stop_a_run() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let row = |i: usize, split: &str| {
        format!("{{\"prompt\": \"say {i}\", \"completion\": \"{i}!\", \"split\": \"{split}\"}}\n")
    };
    let rows: String = (0..10).map(|i| row(i, "train")).chain([row(3, "test")]).collect();
    write(&project, "rows.jsonl", &rows);
    let failure = client.call(finetune(recipe("leak", 2))).unwrap_err();
    assert!(failure.message.contains("duplicates-across-splits: row 4"), "{}", failure.message);

    let long: String = (0..3).map(|i| row(i, "train")).collect();
    let long =
        format!("{long}{{\"prompt\": \"{}\", \"completion\": \"x\", \"split\": \"train\"}}\n", "long ".repeat(20));
    write(&project, "rows.jsonl", &long);
    let mut spec = recipe("cut", 2);
    spec.train.max_seq_len = Some(40);
    spec.train.on_too_long = OnTooLong::Truncate;
    let failure = client.call(finetune(spec.clone())).unwrap_err();
    assert!(failure.message.contains("truncation-removes-targets: row 4"), "{}", failure.message);
    spec.allow = vec!["truncation-removes-targets".into()];
    assert!(matches!(client.call(finetune(spec)), Ok(Response::Finetuned(done)) if done.n_examples == 3));
}

#[test]
fn templates_that_change_their_past_stop_a_run() {
    let (engine, project) = (EngineProcess::start(), project());
    // The number of turns stands in front: no prefix stays what it was.
    let unstable = "{{ bos_token }}{{ messages | length }}{% for m in messages %}{% if m.role == 'assistant' %}[A]{{ m.content }}</s>\
                    {% else %}[U]{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}[A]{% endif %}";
    write(&project, "model/chat_template.jinja", unstable);
    let mut client = engine.client(project.path());
    let failure = client.call(finetune(recipe("unstable", 2))).unwrap_err();
    assert!(failure.message.contains("template-not-prefix-stable"), "{}", failure.message);

    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    write(&project, "model/chat_template.jinja", endless);
    let tokens =
        ShowSpec { data: "rows.jsonl".into(), limit: 1, tokens_of: Some("model".into()), ..ShowSpec::default() };
    let failure = client.call(Request::Show(tokens)).unwrap_err();
    assert!(failure.message.contains("loop without end"), "{}", failure.message);
}

#[test]
fn lengths_and_findings_can_be_looked_at_before() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let model = || Some("model".to_owned());
    let shown = show(&mut client, ShowSpec { data: "rows.jsonl".into(), lengths_of: model(), ..ShowSpec::default() });
    let lengths = shown.lengths.unwrap();
    // <s>[U]say 4[A]1</s> is 14 bytes and tokens; numbers of two digits have one more.
    assert_eq!((lengths.tokens.n, lengths.tokens.min, lengths.tokens.max), (20, 14, 15));
    assert_eq!((lengths.targets.max, lengths.n_too_long, lengths.max_seq_len), (2, 0, 2048));
    assert_eq!(lengths.histogram.iter().map(|bin| bin.n).sum::<u64>(), 20);

    let lint = |client: &mut Client, data: &str| {
        show(client, ShowSpec { data: data.into(), lint_of: model(), ..ShowSpec::default() }).findings.unwrap()
    };
    assert_eq!(lint(&mut client, "rows.jsonl"), []);
    // What the built-in task makes is clean.
    let spec = DatasetSpec {
        name: Some("shop".into()),
        template: Some("text-to-sql".into()),
        config: [("database".to_owned(), "shop".into())].into(),
        rows: Some(400),
        ..DatasetSpec::default()
    };
    assert!(matches!(client.call(Request::Dataset(spec)), Ok(Response::Dataset(_))));
    let findings = lint(&mut client, "shop");
    assert!(findings.iter().all(|finding| !finding.is_error), "{findings:?}");
}

#[test]
fn adding_rows_moves_no_old_row_and_changed_shares_are_told() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let splits = |client: &mut Client| -> std::collections::BTreeMap<String, String> {
        let Ok(Response::Rows { path, .. }) = client.call(Request::Rows { data: "d".into(), split: None }) else {
            panic!("no rows")
        };
        let row = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            (row["prompt"].as_str().unwrap().to_owned(), row["split"].as_str().unwrap().to_owned())
        };
        std::fs::read_to_string(path).unwrap().lines().map(row).collect()
    };
    let spec = |overwrite| DatasetSpec {
        name: Some("d".into()),
        path: Some("rows.jsonl".into()),
        overwrite,
        ..DatasetSpec::default()
    };
    client.call(Request::Dataset(spec(false))).unwrap();
    let before = splits(&mut client);
    let more: String =
        (0..200).rev().map(|i| format!("{{\"prompt\": \"say {i}\", \"completion\": \"{}\"}}\n", i % 3)).collect();
    write(&project, "rows.jsonl", &more);
    let Ok(Response::Dataset(made)) = client.call(Request::Dataset(spec(true))) else { panic!("not imported") };
    assert!(!made.warnings.iter().any(|warning| warning.contains("another split than before")));
    let after = splits(&mut client);
    assert_eq!(after.len(), 200);
    assert!(before.iter().all(|(prompt, split)| after[prompt] == *split));

    let halves = DatasetSpec { splits: [("train".to_owned(), 0.5), ("test".to_owned(), 0.5)].into(), ..spec(true) };
    let Ok(Response::Dataset(made)) = client.call(Request::Dataset(halves)) else { panic!("not imported") };
    assert!(made.warnings.iter().any(|warning| warning.contains("another split than before")), "{:?}", made.warnings);
}

#[test]
fn warnings_are_shown_while_the_run_begins() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    write(&project, "rows.jsonl", &"{\"prompt\": \"a\", \"completion\": \"b\", \"split\": \"train\"}\n".repeat(4));
    client.call(finetune(recipe("twice", 1))).unwrap();
    let told = |event: &Event| matches!(event, Event::Warning { message } if message.contains("duplicate-rows"));
    assert!(client.events.iter().any(told), "{:?}", client.events);
}
