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

fn sample() -> History {
    let history = History::default();
    for (line, input) in [(1, "%help"), (2, "let x = 1;"), (3, "%help"), (4, "%device")] {
        history.push(line, input);
    }
    history
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
fn globs_match_whole_texts() {
    assert!(glob_matches(b"a*b*c", b"aXbYbZc"));
    assert!(!glob_matches(b"a*b", b"abc"));
    assert!(glob_matches(b"", b""));
}
