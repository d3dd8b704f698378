//! What a Rust cell does, against an engine that answers from a script over a socket pair.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use luthier::engine::{BUILD, Connection};
use luthier::prelude::*;
use luthier::protocol::response::{DatasetInfo, Evaluation, Finetuned, ModelInfo, ScoreRow, Signature};
use luthier::protocol::{
    ClientBody, ClientMessage, EngineBody, EngineMessage, Event, Failure, FailureKind, PROTOCOL_VERSION, Request,
    Response, frame, paths,
};
use luthier::{interrupt, session};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Question {
    question: String,
    sql: String,
}

fn rows() -> Vec<Question> {
    let row = |question: &str, sql: &str| Question { question: question.into(), sql: sql.into() };
    vec![row("how many?", "SELECT count(*) FROM t"), row("which \"é\"?\nall", "SELECT a FROM t JOIN u")]
}

/// Every test has an engine of its own, since a test's requests may take any idle connection.
fn with_engine<T>(test: impl FnOnce() -> T) -> T {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    interrupt::clear();
    // One for requests, one for a run beside them.
    for _ in 0..2 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || engine(theirs));
        let project = paths::project_root(&std::env::current_dir().unwrap().canonicalize().unwrap());
        session::adopt(Connection::over(ours.try_clone().unwrap(), ours, project.to_string_lossy()).unwrap());
    }
    test()
}

fn engine(mut stream: UnixStream) {
    while let Ok(Some(message)) = frame::read::<ClientMessage>(&mut stream) {
        let body = match message.body {
            ClientBody::Hello { .. } => EngineBody::Hello {
                protocol_version: PROTOCOL_VERSION,
                build: BUILD.into(),
                device: "cpu".into(),
                pid: 1,
            },
            ClientBody::Request { request: Request::Finetune(spec), .. } if spec.model == "endless" => {
                say(&mut stream, message.id, EngineBody::Event { event: started() });
                continue;
            }
            ClientBody::Cancel { request } => {
                let failure = Failure::new(FailureKind::Interrupted, "run r1 is paused at step 2").hint("`%resume r1`");
                say(&mut stream, request, EngineBody::Error { failure });
                continue;
            }
            ClientBody::Request { request, .. } => {
                let id = message.id;
                match answer(request, &mut |event| say(&mut stream, id, EngineBody::Event { event })) {
                    Ok(response) => EngineBody::Result { response: Box::new(response) },
                    Err(failure) => EngineBody::Error { failure },
                }
            }
            ClientBody::Detach => return,
        };
        say(&mut stream, message.id, body);
    }
}

fn say(stream: &mut UnixStream, id: u64, body: EngineBody) {
    let _ = frame::write(stream, &EngineMessage { id, body });
}

fn started() -> Event {
    Event::RunStarted { run: "r1".into(), name: "shop-adapter".into(), total_steps: 2, resumed_from: None }
}

fn answer(request: Request, event: &mut dyn FnMut(Event)) -> Result<Response, Failure> {
    Ok(match request {
        Request::Datasets => Response::Datasets { datasets: vec![info("shop", 2)] },
        Request::Rows { data, split } => {
            let path = temp_file(&format!("{data}-{}", split.unwrap_or_default()));
            let lines: Vec<String> = rows().iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
            std::fs::write(&path, lines.concat()).unwrap();
            Response::Rows { path: path.to_string_lossy().into(), n_rows: 2, fingerprint: "sha256:1".into() }
        }
        Request::Dataset(spec) => {
            let text = std::fs::read_to_string(spec.path.unwrap()).unwrap();
            let read: Vec<Question> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(read, rows());
            assert!(spec.overwrite);
            Response::Dataset(info(&spec.name.unwrap(), read.len() as u64))
        }
        Request::Load { model, .. } if model == "missing" => {
            return Err(Failure::new(FailureKind::NotFound, "there is no model `missing`").hint("did you mean `pico`?"));
        }
        Request::Load { model, .. } => Response::Loaded(model_info(&model)),
        Request::Finetune(spec) => {
            assert_eq!((spec.lora.r, spec.lora.alpha, spec.train.epochs), (8, 32.0, 3.0));
            event(started());
            for global_step in 1..=2 {
                event(Event::Step(step(global_step)));
            }
            Response::Finetuned(finetuned(&spec.name.unwrap()))
        }
        Request::Evaluate(spec) => {
            assert_eq!(
                (spec.split.as_str(), spec.metrics.as_slice()),
                ("test", ["execution-accuracy".into()].as_slice())
            );
            Response::Evaluated(evaluation(&spec.models[0].table().model, 0.5, false))
        }
        Request::Predict(spec) => {
            assert_eq!(spec.models[0].table().model, "pico");
            let path = temp_file("predictions");
            let line = |prediction: &str| {
                format!(
                    "{{\"arm\":\"pico\",\"prompt\":\"p\",\"reference\":\"a\",\"prediction\":\"{prediction}\",\"completion\":\"{prediction};\",\"question\":\"q\",\"database\":\"shop\"}}\n"
                )
            };
            std::fs::write(&path, [line("a"), line("b"), line("bad")].concat()).unwrap();
            let path = path.to_string_lossy().into();
            Response::Predicted { predictions: "p1".into(), path, n_rows: 3, signature: Signature::default() }
        }
        Request::RecordLocal { predictions, metric, scores } => {
            assert_eq!((predictions.as_str(), metric.as_str()), ("p1", "same"));
            assert_eq!(scores, [Some(1.0), Some(0.0), None]);
            Response::Evaluated(evaluation("pico", 0.5, true))
        }
        other => panic!("the script has no answer to {other:?}"),
    })
}

fn temp_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("luthier-cells-{}-{name}.jsonl", std::process::id()))
}

fn info(name: &str, n_rows: u64) -> DatasetInfo {
    DatasetInfo {
        name: name.into(),
        fingerprint: "sha256:1".into(),
        n_rows,
        splits: vec![("train".into(), n_rows - 1), ("test".into(), 1)],
        columns: vec![("question".into(), "Utf8".into()), ("sql".into(), "Utf8".into())],
        template: None,
        source: "rows".into(),
        accounting: Default::default(),
        sample: rows().into_iter().map(|row| vec![row.question, row.sql]).collect(),
        warnings: Vec::new(),
    }
}

fn model_info(name: &str) -> ModelInfo {
    ModelInfo {
        name: name.into(),
        source: "built-in".into(),
        architecture: "llama".into(),
        n_parameters: 3,
        n_layers: 1,
        hidden_size: 8,
        vocab_size: 9,
        max_seq_len: 10,
        dtype: "bf16".into(),
        loaded: true,
        fingerprint: "sha256:2".into(),
        notes: String::new(),
    }
}

fn step(global_step: u64) -> StepEvent {
    StepEvent {
        run: "r1".into(),
        global_step,
        total_steps: 2,
        epoch: 1.0,
        loss: 1.0 / global_step as f64,
        metrics: Default::default(),
        learning_rate: 1e-3,
        grad_norm: 1.0,
        n_target_tokens: 5,
        tokens_per_second: 9.0,
        elapsed_s: 1.0,
    }
}

fn finetuned(name: &str) -> Finetuned {
    Finetuned {
        run: "r1".into(),
        name: name.into(),
        adapter_dir: "adapters/a".into(),
        steps: 2,
        final_loss: 0.5,
        seconds: 1.0,
        n_trainable: 4,
        n_examples: 2,
        n_target_tokens: 9,
        tokens_per_second: 9.0,
        losses: vec![(1, 1.0), (2, 0.5)],
        eval_losses: Vec::new(),
        best_step: None,
        stopped_early: false,
        warnings: Vec::new(),
    }
}

fn evaluation(model: &str, mean: f64, local: bool) -> Evaluation {
    let row = ScoreRow {
        model: model.into(),
        metric: if local { "same" } else { "execution-accuracy" }.into(),
        part: "all".into(),
        mean: Some(mean),
        low: Some(0.1),
        high: Some(0.9),
        n: 3,
        coverage: 2.0 / 3.0,
        errors: Default::default(),
        interval: "wilson".into(),
        aggregation: "proportion".into(),
        higher_is_better: true,
        signature: Signature { id: "abc".into(), local, ..Signature::default() },
        evaluation: "e".into(),
    };
    Evaluation {
        name: "e".into(),
        data: "shop".into(),
        split: "test".into(),
        confidence: 0.95,
        rows: vec![row],
        comparisons: Vec::new(),
        examples: Vec::new(),
        predictions: String::new(),
        seconds: 1.0,
    }
}

#[test]
fn rows_are_structs_on_the_way_out_and_on_the_way_back() {
    with_engine(|| {
        let joins = dataset("shop").unwrap().filter(|row: &Question| row.sql.contains("JOIN")).unwrap();
        assert_eq!(joins, rows()[1..]);
        let lengths = dataset("shop").unwrap().split("test").map(|row: Question| row.sql.len()).unwrap();
        assert_eq!(lengths.len(), 2);
        let made = Dataset::from_rows("mine", &rows()).unwrap();
        assert_eq!((made.name(), made.len(), made.split("test").len()), ("mine", 2, 1));
    });
}

#[test]
fn a_row_of_another_shape_names_the_row_and_the_field() {
    #[derive(Debug, Deserialize)]
    struct Priced {
        #[serde(rename = "price")]
        _price: f64,
    }
    with_engine(|| {
        let error = dataset("shop").unwrap().rows::<Priced>().unwrap_err().to_string();
        assert!(error.starts_with("row 1 of shop is not a Priced: missing field `price`"), "{error}");
    });
}

#[test]
fn what_does_not_exist_is_an_error_with_a_hint() {
    with_engine(|| {
        let error = format!("{:?}", dataset("shp").unwrap_err());
        assert_eq!(error, "there is no dataset `shp` in this project\nhint: the project has: shop");
        let error = load("missing").map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "there is no model `missing`\nhint: did you mean `pico`?");
    });
}

#[test]
fn a_run_is_watched_step_by_step_and_its_adapter_scored() {
    with_engine(|| {
        let shop = dataset("shop").unwrap();
        let base = load("pico").unwrap();
        let run = base.finetune(&shop, Lora::new(8).alpha(32.0), Train::default().epochs(3)).unwrap();
        assert_eq!(run.id(), "r1");
        let losses: Vec<f64> = run.steps().map(|step| step.loss).collect();
        assert_eq!(losses, [1.0, 0.5]);
        assert_eq!(run.wait().unwrap().final_loss, 0.5);
        let scores = run.adapter().evaluate(&shop.split("test"), ["execution-accuracy"]).unwrap();
        assert_eq!(scores.0.rows[0].model, "shop-adapter");
        assert!(scores.to_string().contains("0.500"), "{scores}");
    });
}

#[test]
fn a_closure_scores_row_by_row_and_an_error_is_no_zero() {
    with_engine(|| {
        let scores = load("pico").unwrap().evaluate_with(&dataset("shop").unwrap(), "same", |row| {
            assert_eq!((row.prompt.as_str(), row.column("question"), row.column("database")), ("p", "q", "shop"));
            match row.prediction.as_str() {
                "bad" => None,
                prediction => Some(if prediction == row.reference { 1.0 } else { 0.0 }),
            }
        });
        let text = scores.unwrap().to_string();
        assert!(text.contains("abc local") && text.contains("unsandboxed"), "{text}");
    });
}

#[test]
fn an_interrupt_pauses_the_run_that_is_waited_for() {
    with_engine(|| {
        let endless = load("endless").unwrap();
        let run = endless.finetune(&dataset("shop").unwrap(), Lora::new(8), Train::default()).unwrap();
        interrupt::request();
        let error = run.wait().unwrap_err();
        assert_eq!(error.kind(), FailureKind::Interrupted);
        assert!(error.to_string().contains("hint: `%resume r1`"), "{error}");
        assert!(run.is_finished());
        interrupt::clear();
    });
}
