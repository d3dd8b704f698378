use serde_json::{Map, Value, json};

use super::{History, glob_matches};
use crate::wire::Message;

fn ask(history: &History, content: Value) -> Value {
    let message = Message {
        identities: Vec::new(),
        header: Map::new(),
        parent_header: Map::new(),
        metadata: Map::new(),
        content,
        buffers: Vec::new(),
    };
    history.reply(&message)["history"].clone()
}

fn filled(history: History) -> History {
    for (line, input) in [(1, "%help"), (2, "let x = 1;"), (3, "%help"), (4, "%device")] {
        history.push(line, input);
    }
    history
}

fn sample() -> History {
    filled(History::at(None))
}

#[test]
fn tail_gives_the_last_inputs() {
    assert_eq!(ask(&sample(), json!({"hist_access_type": "tail", "n": 1})), json!([[1, 4, "%device"]]));
}

#[test]
fn range_excludes_its_stop() {
    let got = ask(&sample(), json!({"hist_access_type": "range", "session": 0, "start": 1, "stop": 3}));
    assert_eq!(got, json!([[1, 1, "%help"], [1, 2, "let x = 1;"]]));
}

#[test]
fn search_takes_globs_and_can_drop_repeats() {
    let got = ask(&sample(), json!({"hist_access_type": "search", "pattern": "%h*", "unique": true}));
    assert_eq!(got, json!([[1, 3, "%help"]]));
    let with_output = ask(&sample(), json!({"hist_access_type": "search", "pattern": "*d?vice", "output": true}));
    assert_eq!(with_output, json!([[1, 4, ["%device", null]]]));
}

#[test]
fn inputs_outlive_their_kernel_and_sessions_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/history.sqlite");
    drop(filled(History::at(Some(path.clone()))));
    let second = History::at(Some(path.clone()));
    second.push(1, "%runs");
    assert_eq!(ask(&second, json!({"hist_access_type": "tail", "n": 2})), json!([[1, 4, "%device"], [2, 1, "%runs"]]));
    assert_eq!(ask(&second, json!({"hist_access_type": "range", "session": 0})), json!([[2, 1, "%runs"]]));
    let before = ask(&second, json!({"hist_access_type": "range", "session": -1, "start": 4}));
    assert_eq!(before, json!([[1, 4, "%device"]]));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_no_database_costs_the_past_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    let file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
    std::io::Write::write_all(&mut file.as_file(), &[7; 4096]).unwrap();
    file.persist(&path).unwrap();
    let history = filled(History::at(Some(path)));
    assert_eq!(ask(&history, json!({"hist_access_type": "tail", "n": 1})), json!([[1, 4, "%device"]]));
}

#[test]
fn globs_match_whole_texts() {
    assert!(glob_matches(b"a*b*c", b"aXbYbZc"));
    assert!(!glob_matches(b"a*b", b"abc"));
    assert!(glob_matches(b"", b""));
}
