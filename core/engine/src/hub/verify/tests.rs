use super::*;

#[test]
fn etags_that_would_leave_the_cache_are_refused() {
    assert_eq!(etag_name("\"abc123\"").as_deref(), Some("abc123"));
    assert_eq!(etag_name("W/\"a-b.c\"").as_deref(), Some("a-b.c"));
    for bad in ["", "\"\"", "../x", "a/b", "..", ".hidden", "a b", "a\0", "\\x"] {
        assert_eq!(etag_name(bad), None, "{bad:?}");
    }
}

#[test]
fn contents_are_held_against_both_kinds_of_hash() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"hello\n").unwrap();
    // printf 'hello\n' | sha256sum; printf 'hello\n' | git hash-object --stdin
    let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let git = "ce013625030ba8dba906f756967f9e9ca394464a";
    assert!(check(file.path(), "f", sha256, 6).unwrap().is_none());
    assert!(check(file.path(), "f", git, 6).unwrap().is_none());
    assert!(check(file.path(), "f", "some-other-etag", 6).unwrap().is_none());
    std::fs::write(file.path(), b"hellO\n").unwrap();
    for etag in [sha256, git] {
        let problem = check(file.path(), "f", etag, 6).unwrap().unwrap();
        assert!(problem.to_string().contains(etag), "{problem}");
    }
}
