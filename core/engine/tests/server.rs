//! The door: greeting, bad messages, stale sockets, idleness, SIGTERM.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;

use common::process::command;
use common::{Client, EngineProcess};
use luthier_protocol::{ClientBody, ClientMessage, EngineBody, EngineMessage, FailureKind, Request, Response, frame};

#[test]
fn device_answers_over_a_unix_socket() {
    let engine = EngineProcess::start();
    let project = tempfile::tempdir().unwrap();
    let Response::Device(device) = engine.client(project.path()).call(Request::Device).unwrap() else {
        panic!("not a device")
    };
    assert_eq!(device.device, "cpu");
    assert_eq!(device.pid, engine.child.id());
    assert!(device.threads > 0 && device.memory_bytes > 0 && device.resident_bytes > 0 && !device.name.is_empty());
    assert!(!project.path().join(".luthier").exists(), "looking creates nothing");
}

#[test]
fn device_answers_over_standard_input_and_output() {
    let runtime = tempfile::tempdir().unwrap();
    let mut child = command(runtime.path())
        .arg("--stdio")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (reader, writer) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let mut client = Client::over(reader, writer, runtime.path());
    assert!(matches!(client.call(Request::Device), Ok(Response::Device(_))));
    assert!(matches!(client.call(Request::Runs), Ok(Response::Runs { runs }) if runs.is_empty()));
    drop(client);
    assert!(child.wait().unwrap().success(), "it ends with its input");
}

fn read(stream: &mut UnixStream) -> EngineMessage {
    frame::read(stream).unwrap().unwrap()
}

#[test]
fn another_version_and_a_missing_greeting_are_refused_clearly() {
    let engine = EngineProcess::start();
    let hello = ClientBody::Hello { protocol_version: 999, build: "future".into() };
    let request = ClientBody::Request { project_dir: "/".into(), request: Request::Device };
    for (body, expected) in [(hello, "999"), (request, "hello")] {
        let mut stream = UnixStream::connect(&engine.socket).unwrap();
        frame::write(&mut stream, &ClientMessage { id: 5, body }).unwrap();
        let answer = read(&mut stream);
        let EngineBody::Error { failure } = answer.body else { panic!("no failure") };
        assert_eq!((answer.id, failure.kind), (5, FailureKind::Protocol));
        assert!(failure.message.contains(expected), "{}", failure.message);
        assert!(frame::read::<EngineMessage>(&mut stream).unwrap().is_none(), "and the connection ends");
    }
}

#[test]
fn a_message_that_is_none_harms_nobody() {
    let engine = EngineProcess::start();
    let mut stream = UnixStream::connect(&engine.socket).unwrap();
    let hello = ClientBody::Hello { protocol_version: 1, build: "test".into() };
    frame::write(&mut stream, &ClientMessage { id: 1, body: hello }).unwrap();
    read(&mut stream);
    for body in [&b"{\"id\": 2, \"body\": {\"type\": \"dance\"}}"[..], b"not json", b""] {
        stream.write_all(&(body.len() as u32).to_le_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let EngineBody::Error { failure } = read(&mut stream).body else { panic!("no failure") };
        assert_eq!(failure.kind, FailureKind::Protocol);
    }
    let request = ClientBody::Request { project_dir: "/".into(), request: Request::Device };
    frame::write(&mut stream, &ClientMessage { id: 3, body: request }).unwrap();
    assert!(matches!(read(&mut stream).body, EngineBody::Result { .. }));

    // A hostile length ends the connection, not the engine.
    stream.write_all(&u32::MAX.to_le_bytes()).unwrap();
    assert!(matches!(read(&mut stream).body, EngineBody::Error { .. }));
    assert!(frame::read::<EngineMessage>(&mut stream).unwrap().is_none());
    engine.client(std::path::Path::new("/")).call(Request::Device).unwrap();
}

#[test]
fn a_project_that_does_not_exist_is_named() {
    let engine = EngineProcess::start();
    for project in ["relative", "/no/such/dir"] {
        let failure = engine.client(std::path::Path::new(project)).call(Request::Runs).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidRequest);
        assert!(failure.message.contains(project));
    }
}

#[test]
fn a_killed_engine_is_replaced_and_a_live_one_is_not() {
    let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
    let mut first = EngineProcess::start_in(runtime.path(), "600");
    let second = command(runtime.path()).status().unwrap();
    assert!(second.success(), "a second engine leaves it to the first");
    first.client(runtime.path()).call(Request::Device).unwrap();

    first.kill();
    assert!(first.socket.exists(), "a killed engine leaves its socket");
    let third = EngineProcess::start_in(runtime.path(), "600");
    third.client(runtime.path()).call(Request::Device).unwrap();
}

#[test]
fn an_idle_engine_ends_and_takes_its_socket_along() {
    let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
    let mut engine = EngineProcess::start_in(runtime.path(), "1");
    let mut client = engine.client(runtime.path());
    std::thread::sleep(std::time::Duration::from_millis(1500));
    client.call(Request::Device).expect("a connection keeps it alive");
    drop(client);
    assert!(engine.wait().success());
    assert!(!engine.socket.exists());
}

#[test]
fn it_ends_when_asked_to() {
    let mut engine = EngineProcess::start();
    engine.terminate();
    assert!(engine.wait().success());
    assert!(!engine.socket.exists());

    let mut engine = EngineProcess::start();
    let mut client = engine.client(std::path::Path::new("/"));
    assert!(matches!(client.call(Request::Shutdown), Ok(Response::Done)));
    assert!(engine.wait().success());
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let engine = EngineProcess::start();
    let project = common::project();
    let mut client = engine.client(project.path());
    client
        .call(Request::Show(luthier_protocol::spec::ShowSpec {
            data: "rows.jsonl".into(),
            limit: 1,
            tokens_of: None,
            ..Default::default()
        }))
        .unwrap();
    let store = project.path().join(".luthier/store.sqlite");
    rusqlite::Connection::open(store).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let failure = client.call(Request::Runs).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Storage);
    assert!(failure.message.contains("99"), "{}", failure.message);
}

#[test]
fn the_command_line_is_checked() {
    let runtime = tempfile::tempdir().unwrap();
    let version = command(runtime.path()).arg("--version").output().unwrap();
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("luthier-engine "));
    for bad in [&["--sockets"][..], &["--socket"], &["--stdio", "x"]] {
        assert!(!command(runtime.path()).args(bad).output().unwrap().status.success(), "{bad:?}");
    }
}
