use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("luthier-private-dir-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn makes_a_private_directory_and_refuses_an_open_one() {
    let base = scratch("mode");
    let uid = fs::metadata(&base).unwrap().uid();
    let dir = base.join("a/b");
    ensure(&dir, uid).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    ensure(&dir, uid).unwrap();

    fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(ensure(&dir, uid), Err(PrivateDirError::Mode { found: 0o750, .. })));
    fs::remove_dir_all(base).unwrap();
}

#[test]
fn refuses_another_owner_a_link_and_a_file() {
    let base = scratch("owner");
    let uid = fs::metadata(&base).unwrap().uid();
    let dir = base.join("d");
    ensure(&dir, uid).unwrap();
    assert!(matches!(check(&dir, uid + 1), Err(PrivateDirError::Owner { .. })));

    std::os::unix::fs::symlink(&dir, base.join("link")).unwrap();
    assert!(matches!(check(&base.join("link"), uid), Err(PrivateDirError::NotADirectory { .. })));

    fs::write(base.join("file"), b"").unwrap();
    assert!(check(&base.join("file"), uid).is_err());
    fs::remove_dir_all(base).unwrap();
}
