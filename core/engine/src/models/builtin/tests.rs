use super::*;

const FILES: [(&str, &[u8]); 2] = [("a", b"one"), ("b", b"two")];

#[test]
fn unpacking_is_repeatable_and_repairs_damage() {
    let parent = tempfile::tempdir().unwrap();
    let dir = unpack(parent.path(), "m", &FILES).unwrap();
    assert_eq!(unpack(parent.path(), "m", &FILES).unwrap(), dir);
    std::fs::write(dir.join("b"), b"").unwrap();
    assert_eq!(unpack(parent.path(), "m", &FILES).unwrap(), dir);
    assert_eq!(std::fs::read(dir.join("b")).unwrap(), b"two");
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "nothing temporary is left");
}

#[test]
fn other_content_gets_another_directory() {
    let parent = tempfile::tempdir().unwrap();
    let first = unpack(parent.path(), "m", &FILES).unwrap();
    let second = unpack(parent.path(), "m", &[("a", b"one"), ("b", b"2")]).unwrap();
    assert_ne!(first, second);
}

#[test]
fn pico_is_a_model_directory_even_without_a_cache() {
    let builtins = Builtins::new(None, Path::new("/tmp")).unwrap();
    let dir = builtins.dir("pico").unwrap().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    assert!(builtins.dir("nano").is_none());
}
