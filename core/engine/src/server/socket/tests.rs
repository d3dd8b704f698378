use super::*;

fn uid() -> u32 {
    crate::os::effective_uid()
}

fn dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("lut").tempdir().unwrap()
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = dir();
    let path = dir.path().join("s/engine.sock");
    let first = bind(&path, uid()).unwrap();
    assert!(!first.repaired);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(bind(&path, uid()), Err(BindError::AlreadyRunning { .. })));
    drop(first);
    assert!(!path.exists());

    // What a killed engine leaves: a socket that nobody listens on, and a lock that nobody holds.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let second = bind(&path, uid()).unwrap();
    assert!(second.repaired);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn two_starts_at_once_make_one_engine() {
    let dir = dir();
    let path = dir.path().join("s/engine.sock");
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || bind(&path, uid()))
        })
        .collect();
    let ends: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    assert!(ends.iter().all(|end| matches!(end, Ok(_) | Err(BindError::AlreadyRunning { .. }))));
}

#[test]
fn an_open_directory_and_a_long_path_are_refused() {
    let dir = dir();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(bind(&open.join("engine.sock"), uid()), Err(BindError::Directory(_))));

    let long = dir.path().join("x".repeat(MAX_SOCKET_PATH_BYTES));
    assert!(matches!(bind(&long, uid()), Err(BindError::TooLong { .. })));
}
