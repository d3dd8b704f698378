use super::*;

#[test]
fn the_committed_metric_is_read() {
    let path = crate::shell::root().join("plugins/execution-accuracy/execution-accuracy.wasm");
    let names = names(&std::fs::read(path).unwrap()).unwrap();
    assert!(names.imports.iter().any(|name| name == "luthier:plugin/sql@0.1.0"), "{names:?}");
    assert_eq!(names.exports, ["luthier:plugin/metric@0.1.0"]);
}

#[test]
fn other_bytes_are_refused() {
    assert!(names(b"").is_err());
    assert!(names(b"\0asm\x01\0\0\0").unwrap_err().to_string().contains("core module"));
    assert!(names(b"\0asm\x0d\0\x01\0\x0a\x7f").is_err());
}
