use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::runtime::Runtime;

struct Setup {
    directory: tempfile::TempDir,
    runtime: Runtime,
    bytes: Vec<u8>,
}

impl Setup {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bytes = wat::parse_str(r#"(component (core module (func (export "f"))))"#).unwrap();
        Self { directory, runtime: Runtime::new(None, None).unwrap(), bytes }
    }

    fn cache(&self) -> Cache {
        Cache::new(self.directory.path().join("plugins"), crate::runtime::code_key(&self.runtime.engine))
    }

    fn compile(&self) {
        self.cache().component(&self.runtime.engine, &self.bytes, "sha256:00").unwrap();
    }

    fn loads(&self) -> bool {
        let cache = self.cache();
        cache.load(&self.runtime.engine, &cache.path("sha256:00")).is_some()
    }

    fn set_mode(&self, path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn the_second_time_comes_from_the_cache() {
    let setup = Setup::new();
    assert!(!setup.loads());
    setup.compile();
    assert!(setup.loads());
    let directory = setup.cache().directory;
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_directory_that_others_enter_is_not_used() {
    let setup = Setup::new();
    setup.compile();
    let directory = setup.cache().directory;
    setup.set_mode(&directory, 0o755);
    assert!(!setup.loads());
    std::fs::remove_file(setup.cache().path("sha256:00")).unwrap();
    setup.compile();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "nothing is written there");
}

#[test]
fn a_file_that_others_write_or_that_is_a_link_is_not_used() {
    let setup = Setup::new();
    setup.compile();
    let path = setup.cache().path("sha256:00");
    setup.set_mode(&path, 0o622);
    assert!(!setup.loads());
    setup.set_mode(&path, 0o600);
    assert!(setup.loads());
    let elsewhere = setup.directory.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(!setup.loads());
}

#[test]
fn a_damaged_file_is_compiled_anew() {
    let setup = Setup::new();
    setup.compile();
    let path = setup.cache().path("sha256:00");
    let good = std::fs::read(&path).unwrap();
    for damaged in [&good[..good.len() / 2], &good[..10], &[], &[&good[..100], &[0xff], &good[101..]].concat()] {
        let mut file = File::options().write(true).truncate(true).open(&path).unwrap();
        file.write_all(damaged).unwrap();
        assert!(!setup.loads());
        setup.compile();
        assert!(setup.loads());
    }
}
