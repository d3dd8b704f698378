//! The OpenAI-compatible client against a server that misbehaves.

mod support {
    pub(crate) mod server;
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use luthier_lm::{
    Completion, Error, FinishReason, GenerateRequest, LanguageModel, LoglikelihoodRequest, Message, OpenAi,
    OpenAiOptions, Prompt, Secret,
};
use luthier_protocol::spec::GenerationSpec;
use support::server::{Reply, Server, chat, ok};

const KEY: &str = "sk-very-secret";

fn client(server: &Server) -> OpenAi {
    let options = OpenAiOptions {
        timeout: Duration::from_millis(600),
        attempts: 4,
        pause: Duration::from_millis(5),
        ..OpenAiOptions::new(&server.base_url, "test-model", Some(Secret::new(KEY)))
    };
    OpenAi::new(options).unwrap()
}

fn chat_request(text: &str) -> GenerateRequest {
    let turn = Message { role: "user".into(), content: text.into() };
    GenerateRequest { prompt: Prompt::Chat(vec![turn]), generation: GenerationSpec::default() }
}

fn ask(server: &Server) -> Result<Completion, Error> {
    let never = AtomicBool::new(false);
    client(server).generate(&[chat_request("hello")], &mut |_, _| {}, &never)?.remove(0)
}

#[test]
fn a_conversation_is_asked_and_answered() {
    let server = Server::start(vec![ok(chat("four"))]);
    let completion = ask(&server).unwrap();
    assert_eq!((completion.text.as_str(), completion.finish_reason), ("four", FinishReason::Stop));
    assert_eq!((completion.n_prompt_tokens, completion.n_new_tokens), (11, 7));
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/v1/chat/completions");
    assert!(seen.headers.contains(&("authorization".into(), format!("Bearer {KEY}"))));
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body["model"], "test-model");
    assert_eq!(body["messages"][0]["content"], "hello");
    assert!(body.get("top_k").is_none() && body.get("stop").is_none());
}

#[test]
fn text_goes_to_the_completions_endpoint_with_its_settings() {
    let server = Server::start(vec![ok(r#"{"choices":[{"text":" world","finish_reason":"length"}]}"#)]);
    let generation =
        GenerationSpec { max_new_tokens: 3, temperature: 0.5, top_k: 40, top_p: 0.9, stop: vec!["\n".into()], seed: 7 };
    let request = GenerateRequest { prompt: Prompt::Text("hello".into()), generation };
    let completion =
        client(&server).generate(&[request], &mut |_, _| {}, &AtomicBool::new(false)).unwrap().remove(0).unwrap();
    assert_eq!((completion.text.as_str(), completion.finish_reason), (" world", FinishReason::Length));
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/v1/completions");
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    for (key, value) in [("max_tokens", 3.0), ("temperature", 0.5), ("top_k", 40.0), ("top_p", 0.9), ("seed", 7.0)] {
        assert_eq!(body[key].as_f64(), Some(value), "{key}");
    }
    assert_eq!(body["stop"][0], "\n");
}

#[test]
fn what_may_pass_is_tried_again() {
    let http = |status, body: &str| Reply::Http(status, Vec::new(), body.to_owned());
    let failures = [
        http(429, r#"{"error":{"message":"slow down"}}"#),
        http(500, "oops"),
        http(503, "<html>busy</html>"),
        http(529, ""),
        Reply::Close,
        Reply::Cut(chat("fo")),
        Reply::Late(Duration::from_millis(900), chat("late")),
        ok("<html>a gateway's page</html>"),
        ok(r#"{"choices":[]}"#),
        ok(r#"{"choices":[{"message":{}}]}"#),
        ok(r#"{"error":{"message":"upstream went away"}}"#),
        ok("null"),
    ];
    for (index, failure) in failures.into_iter().enumerate() {
        let server = Server::start(vec![failure.clone(), failure, ok(chat("four"))]);
        assert_eq!(ask(&server).unwrap().text, "four", "failure {index}");
        assert_eq!(server.seen().len(), 3, "failure {index}");
    }
}

#[test]
fn attempts_end_and_say_what_came_last() {
    let server = Server::start(vec![Reply::Http(503, Vec::new(), "busy".into())]);
    let error = ask(&server).unwrap_err();
    assert_eq!(server.seen().len(), 4);
    let expected = format!("no answer from {} in 4 attempts; the last: status 503: busy", server.base_url);
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.code(), "unavailable");
}

#[test]
fn nobody_there_is_unavailable() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = OpenAiOptions {
        attempts: 2,
        pause: Duration::from_millis(1),
        ..OpenAiOptions::new(&format!("http://{unused}/v1"), "m", None)
    };
    let outcome = OpenAi::new(options).unwrap().generate(&[chat_request("x")], &mut |_, _| {}, &AtomicBool::new(false));
    assert!(matches!(outcome.unwrap().remove(0), Err(Error::Unavailable { attempts: 2, .. })));
}

#[test]
fn a_server_says_how_long_to_wait() {
    let busy = Reply::Http(429, vec![("retry-after", "0.3".into())], String::new());
    let server = Server::start(vec![busy, ok(chat("x"))]);
    let started = std::time::Instant::now();
    ask(&server).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_wrong_key_ends_everything_and_is_not_repeated() {
    let body = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    let server = Server::start(vec![Reply::Http(401, Vec::new(), body)]);
    let error =
        client(&server).generate(&vec![chat_request("x"); 40], &mut |_, _| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, Error::Refused { status: 401, .. }), "{error}");
    let shown = format!("{error} {error:?} {:?}", client(&server));
    assert!(!shown.contains(KEY), "{shown}");
    assert!(server.seen().len() <= 4, "each worker asks once, not {}", server.seen().len());
}

#[test]
fn one_refused_request_leaves_the_others() {
    let refuse_x = Reply::Make(Arc::new(|body: &str| if body.contains("\"x\"") { "[]".into() } else { chat("fine") }));
    let server = Server::start(vec![refuse_x]);
    let requests: Vec<GenerateRequest> = ["a", "x", "b"].iter().map(|text| chat_request(text)).collect();
    let outcomes = client(&server).generate(&requests, &mut |_, _| {}, &AtomicBool::new(false)).unwrap();
    let good: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true]);
    let server = Server::start(vec![Reply::Http(400, Vec::new(), r#"{"error":{"message":"too long"}}"#.into())]);
    assert_eq!(ask(&server).unwrap_err().to_string(), "the server refuses the request with status 400: too long");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn redirects_are_not_followed_with_the_key() {
    let other = Server::start(vec![ok(chat("stolen"))]);
    let to = vec![("location", format!("{}/chat/completions", other.base_url))];
    let server = Server::start(vec![Reply::Http(307, to, String::new())]);
    assert!(matches!(ask(&server), Err(Error::Refused { status: 307, .. })));
    assert!(other.seen().is_empty());
}

#[test]
fn answers_come_in_order_whatever_order_they_are_given_in() {
    let echo = Reply::Make(Arc::new(|body: &str| {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let text = body["messages"][0]["content"].as_str().unwrap().to_owned();
        std::thread::sleep(Duration::from_millis(text.len() as u64 % 7));
        chat(&text)
    }));
    let server = Server::start(vec![echo]);
    let requests: Vec<GenerateRequest> = (0..30).map(|i| chat_request(&"x".repeat(i + 1))).collect();
    let mut told = Vec::new();
    let outcomes = client(&server)
        .generate(&requests, &mut |done, total| told.push((done, total)), &AtomicBool::new(false))
        .unwrap();
    let lengths: Vec<usize> = outcomes.into_iter().map(|outcome| outcome.unwrap().text.len()).collect();
    assert_eq!(lengths, (1..=30).collect::<Vec<_>>());
    assert_eq!(told, (1..=30).map(|done| (done, 30)).collect::<Vec<_>>());
}

#[test]
fn an_interruption_ends_a_pause() {
    let server = Server::start(vec![Reply::Http(429, vec![("retry-after", "30".into())], String::new())]);
    let cancel = Arc::new(AtomicBool::new(false));
    let setter = Arc::clone(&cancel);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        setter.store(true, Ordering::Relaxed);
    });
    let started = std::time::Instant::now();
    let error = client(&server).generate(&[chat_request("x")], &mut |_, _| {}, &cancel).unwrap_err();
    assert!(matches!(error, Error::Interrupted));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn log_likelihoods_are_sums_over_the_continuation() {
    let body = r#"{"choices":[{"text":"ab cd e","logprobs":{"tokens":["ab"," c","d"," e"],"text_offset":[0,2,4,5],
        "token_logprobs":[null,-0.5,-1.25,-9.0],
        "top_logprobs":[null,{" c":-0.5," x":-2.0},{"d":-1.25,"q":-0.75},{" e":-9.0}]}}]}"#;
    let server = Server::start(vec![ok(body)]);
    let never = AtomicBool::new(false);
    let request = |context: &str, continuation: &str| LoglikelihoodRequest {
        context: context.into(),
        continuation: continuation.into(),
    };
    let score = |context: &str, continuation: &str| {
        let requests = [request(context, continuation)];
        client(&server).loglikelihood(&requests, &mut |_, _| {}, &never).unwrap().remove(0).unwrap()
    };
    let found = score("ab", " cd");
    assert_eq!((found.loglikelihood, found.n_tokens, found.is_greedy), (-1.75, 2, false));
    assert!(score("ab", " c").is_greedy);
    let rolling = client(&server).loglikelihood_rolling(&["ab cd".into()], &mut |_, _| {}, &never).unwrap().remove(0);
    assert_eq!(rolling.unwrap().loglikelihood, -1.75);
    let body: serde_json::Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!((&body["prompt"], &body["echo"]), (&"ab cd".into(), &true.into()));
}

#[test]
fn a_server_without_log_probabilities_is_told_from_a_failing_one() {
    let server = Server::start(vec![ok(r#"{"choices":[{"text":"x","logprobs":null}]}"#)]);
    let requests = vec![LoglikelihoodRequest { context: "a".into(), continuation: "b".into() }; 20];
    let error = client(&server).loglikelihood(&requests, &mut |_, _| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(server.seen().len() <= 4);
}

#[test]
fn an_address_with_a_password_is_refused_and_not_shown() {
    for address in ["https://me:hunter2@host/v1", "host/v1", "ftp://host", "http://", "https://host/v1?key=hunter2"] {
        let error = OpenAi::new(OpenAiOptions::new(address, "m", None)).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("base_url"), "{error}");
    }
}
