use super::*;

#[test]
fn a_network_file_system_never_gets_wal() {
    assert_eq!(choose(FileSystem::Network("NFS"), || true), "delete");
    assert_eq!(choose(FileSystem::Local, || false), "delete");
    assert_eq!(choose(FileSystem::Local, || true), "wal");
}

#[test]
fn a_store_moved_to_a_network_file_system_leaves_wal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.sqlite");
    for (file_system, expected) in [(FileSystem::Local, "wal"), (FileSystem::Network("Lustre"), "delete")] {
        let connection = Connection::open(&path).unwrap();
        prepare(&connection, &path, file_system).unwrap();
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, expected);
    }
}

#[test]
fn the_probe_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    assert!(wal_works(&dir.path().join("x.sqlite")));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(!wal_works(Path::new("/no/such/dir/x.sqlite")));
}
