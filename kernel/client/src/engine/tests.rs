#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use luthier_protocol::{
    ClientBody, ClientMessage, EngineBody, EngineMessage, Event, Failure, FailureKind, PROTOCOL_VERSION, Request,
    Response, frame,
};

use super::*;

/// The engine's side of a socket pair, driven by a closure that gets every message after `Hello`.
fn engine(
    mut serve: impl FnMut(&mut UnixStream, ClientMessage) -> bool + Send + 'static,
) -> Result<Connection, Failure> {
    engine_of(PROTOCOL_VERSION, BUILD, move |stream, message| serve(stream, message))
}

fn engine_of(
    version: u32,
    build: &str,
    mut serve: impl FnMut(&mut UnixStream, ClientMessage) -> bool + Send + 'static,
) -> Result<Connection, Failure> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let build = build.to_owned();
    std::thread::spawn(move || {
        while let Ok(Some(message)) = frame::read::<ClientMessage>(&mut theirs) {
            if let ClientBody::Hello { .. } = message.body {
                let body = EngineBody::Hello {
                    protocol_version: version,
                    build: build.clone(),
                    device: "cpu".into(),
                    pid: 42,
                };
                say(&mut theirs, message.id, body);
            } else if !serve(&mut theirs, message) {
                return;
            }
        }
    });
    Connection::over(ours.try_clone().unwrap(), ours, "/project")
}

fn say(stream: &mut UnixStream, id: u64, body: EngineBody) {
    frame::write(stream, &EngineMessage { id, body }).unwrap();
}

fn done() -> EngineBody {
    EngineBody::Result { response: Box::new(Response::Done) }
}

fn started() -> EngineBody {
    EngineBody::Event {
        event: Event::RunStarted { run: "r7".into(), name: "shop".into(), total_steps: 9, resumed_from: None },
    }
}

#[test]
fn events_come_in_order_before_the_result() {
    let mut connection = engine(|stream, message| {
        assert!(matches!(message.body, ClientBody::Request { ref project_dir, .. } if project_dir == "/project"));
        for done in [1, 2, 3] {
            let event = Event::Progress { stage: "import".into(), done, total: Some(3) };
            say(stream, message.id, EngineBody::Event { event });
        }
        // Somebody else's answer must not end this request.
        say(stream, message.id + 100, EngineBody::Error { failure: Failure::new(FailureKind::Internal, "not yours") });
        say(stream, message.id, done());
        true
    })
    .unwrap();
    let mut seen = Vec::new();
    let answer = connection.request(Request::Device, &mut |event| seen.push(event), None);
    assert_eq!(answer, Ok(Response::Done));
    let done: Vec<u64> =
        seen.iter().map(|event| matches!(event, Event::Progress { done, .. } if *done > 0) as u64).collect();
    assert_eq!(done, [1, 1, 1]);
    assert_eq!(connection.identity().pid, 42);
}

#[test]
fn a_cancel_names_the_request_and_the_engine_has_the_last_word() {
    let flag = Arc::new(AtomicBool::new(false));
    let engine_flag = Arc::clone(&flag);
    let mut request_id = 0;
    let mut connection = engine(move |stream, message| {
        match message.body {
            ClientBody::Request { .. } => {
                request_id = message.id;
                engine_flag.store(true, Ordering::Relaxed);
            }
            ClientBody::Cancel { request } => {
                assert_eq!(request, request_id);
                let failure = Failure::new(FailureKind::Interrupted, "paused at step 3");
                say(stream, request, EngineBody::Error { failure });
            }
            _ => panic!("unexpected"),
        }
        true
    })
    .unwrap();
    let started_at = Instant::now();
    let failure = connection.request(Request::Device, &mut |_| {}, Some(&flag)).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Interrupted, "paused at step 3"));
    assert!(started_at.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_engine_that_dies_in_a_run_says_how_to_resume() {
    let mut connection = engine(|stream, message| {
        say(stream, message.id, started());
        false
    })
    .unwrap();
    let failure = connection.request(Request::Resume { run: "r7".into() }, &mut |_| {}, None).unwrap_err();
    assert_eq!(failure.kind, FailureKind::EngineLost);
    assert!(failure.message.contains("process 42") && failure.message.contains("resume (run r7)"), "{failure}");
    assert!(failure.hint.unwrap().starts_with("`%resume r7`"));
    // Over a stream that was handed to us there is no way back.
    let again = connection.request(Request::Device, &mut |_| {}, None).unwrap_err();
    assert_eq!(again.kind, FailureKind::EngineLost);
}

#[test]
fn another_protocol_version_and_another_build_are_refused_by_name() {
    let failure = engine_of(PROTOCOL_VERSION + 1, BUILD, |_, _| true).map(|_| ()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.message.contains(&format!("protocol version {}", PROTOCOL_VERSION + 1)), "{failure}");
    let failure = engine_of(PROTOCOL_VERSION, "99.0.0", |_, _| true).map(|_| ()).unwrap_err();
    assert!(failure.message.contains("99.0.0") && failure.hint.unwrap().contains("kill 42"));
    assert!(engine_of(PROTOCOL_VERSION, &format!("{BUILD}+abc"), |_, _| true).is_ok());
}

#[test]
fn a_program_that_is_no_engine_is_reported_with_what_it_said() {
    let dir = TempDir::new("no-engine");
    let program = dir.0.join("luthier-engine");
    std::fs::write(&program, "#!/bin/sh\necho 'cannot find the device' >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let failure = connect_or_spawn(dir.options(&program)).map(|_| ()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::EngineLost);
    assert!(failure.message.contains("cannot find the device") && failure.message.contains('3'), "{failure}");
    let missing = connect_or_spawn(dir.options(&dir.0.join("absent"))).map(|_| ()).unwrap_err();
    assert!(missing.hint.unwrap().contains("LUTHIER_ENGINE"));
}

#[test]
fn a_socket_without_an_engine_behind_it_is_passed_over() {
    let dir = TempDir::new("stale");
    std::fs::create_dir_all(dir.0.join("run")).unwrap();
    std::fs::set_permissions(dir.0.join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    // A listener that is dropped leaves its socket file: what `kill -9` leaves.
    drop(std::os::unix::net::UnixListener::bind(dir.0.join("run/engine.sock")).unwrap());
    let failure = connect_or_spawn(dir.options(std::path::Path::new("/bin/false"))).map(|_| ()).unwrap_err();
    assert!(failure.message.contains("was started, but it ended at once"), "{failure}");
}

#[test]
fn a_runtime_directory_that_others_may_enter_is_refused() {
    let dir = TempDir::new("open");
    std::fs::create_dir_all(dir.0.join("run")).unwrap();
    std::fs::set_permissions(dir.0.join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let failure = connect_or_spawn(dir.options(std::path::Path::new("/bin/true"))).map(|_| ()).unwrap_err();
    assert!(failure.message.contains("0700") && failure.message.contains("0755"), "{failure}");
}

struct TempDir(std::path::PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("luthier-client-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    fn options(&self, program: &std::path::Path) -> ConnectOptions {
        ConnectOptions {
            engine_binary: Some(program.to_path_buf()),
            runtime_dir: Some(self.0.join("run")),
            start_timeout: Duration::from_secs(10),
            ..ConnectOptions::from_env(&self.0)
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn leaving_says_good_bye_and_where_the_run_is_found() {
    let leave = Arc::new(AtomicBool::new(false));
    let (said, heard) = std::sync::mpsc::channel();
    let mut connection = engine(move |stream, message| {
        match message.body {
            ClientBody::Request { .. } => say(stream, message.id, started()),
            body => said.send(body).unwrap(),
        }
        true
    })
    .unwrap();
    connection.leave_when(Arc::clone(&leave));
    let request = Request::Resume { run: "r7".into() };
    let failure = connection.request(request, &mut |_| leave.store(true, Ordering::Relaxed), None).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert_eq!(failure.hint.as_deref(), Some("`%follow r7` finds it again"));
    assert_eq!(heard.recv_timeout(Duration::from_secs(5)), Ok(ClientBody::Detach));
}
