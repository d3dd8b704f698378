use std::io::{self, Write};

use super::{write, write_with};

#[test]
fn replaces_a_file_and_leaves_no_sibling() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    write(&path, b"old").unwrap();
    write(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_no_sibling() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    write(&path, b"old").unwrap();
    let full = write_with(&path, |file| {
        file.write_all(b"half of the n")?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    });
    assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_directory_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(write(&dir.path().join("none/state.json"), b"x").is_err());
    assert!(write(dir.path().join("..").as_path(), b"x").is_err());
}

#[cfg(unix)]
#[test]
fn keeps_the_mode_of_the_replaced_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    write(&path, b"1").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    write(&path, b"2").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
