use super::*;

fn env(luthier: Option<&str>, xdg: Option<&str>) -> RuntimeEnv {
    RuntimeEnv {
        luthier_runtime_dir: luthier.map(PathBuf::from),
        xdg_runtime_dir: xdg.map(PathBuf::from),
        temp_dir: "/tmp".into(),
        uid: 1000,
    }
}

#[test]
fn the_override_wins_then_xdg_then_temp() {
    assert_eq!(socket_path(&env(Some("/r"), Some("/"))), Path::new("/r/engine.sock"));
    assert_eq!(socket_path(&env(None, Some("/"))), Path::new("/luthier/engine.sock"));
    assert_eq!(socket_path(&env(None, None)), Path::new("/tmp/luthier-1000/engine.sock"));
}

#[test]
fn a_missing_relative_or_empty_directory_counts_as_absent() {
    for (luthier, xdg) in [(None, Some("/no/such/dir")), (None, Some("run")), (Some(""), None)] {
        assert_eq!(runtime_dir(&env(luthier, xdg)), Path::new("/tmp/luthier-1000"));
    }
}

#[test]
fn a_path_too_long_for_a_socket_moves_to_a_short_one_of_its_own() {
    let fits = format!("/{}", "d".repeat(MAX_SOCKET_PATH_BYTES - 1 - "/engine.sock".len()));
    assert_eq!(runtime_dir(&env(Some(&fits), None)), Path::new(&fits));

    let first = runtime_dir(&env(Some(&format!("{fits}x")), None));
    let second = runtime_dir(&env(Some(&format!("{fits}y")), None));
    assert!(first.starts_with("/tmp/luthier-1000"));
    assert!(first.join(SOCKET_FILE_NAME).as_os_str().len() <= MAX_SOCKET_PATH_BYTES);
    assert_ne!(first, second);
}
