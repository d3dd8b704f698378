use super::*;

fn entry(number: usize, error: &str) -> Entry {
    Entry {
        request_id: format!("request-{number}"),
        digest: number as u64 + 0xffff_0000_0000_0000,
        output: format!("line\nbreak {number}"),
        finish_reason: "stop".into(),
        error: error.into(),
        n_prompt_tokens: 3,
        n_new_tokens: 5,
    }
}

#[test]
fn answers_survive_a_cut_last_line_and_failures_are_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = Journal::open(&path, "recipe").unwrap();
    journal.put(entry(0, "")).unwrap();
    journal.put(entry(1, "unavailable")).unwrap();
    journal.put(entry(2, "")).unwrap();
    drop(journal);
    let mut text = std::fs::read(&path).unwrap();
    text.truncate(text.len() - 4);
    std::fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap().write_all(&text).unwrap();

    let journal = Journal::open(&path, "recipe").unwrap();
    assert_eq!(journal.n_resumed(), 1);
    assert_eq!(journal.get("request-0", entry(0, "").digest), Some(&entry(0, "")));
    assert_eq!(journal.get("request-0", 1), None, "other words");
    assert_eq!(journal.get("request-1", entry(1, "").digest), None);
    assert_eq!(journal.get("request-2", entry(2, "").digest), None);
}

#[test]
fn another_recipe_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    Journal::open(&path, "one").unwrap().put(entry(0, "")).unwrap();
    assert_eq!(Journal::open(&path, "two").unwrap().n_resumed(), 0);
    assert_eq!(Journal::open(&path, "one").unwrap().n_resumed(), 0);
}

#[test]
fn a_file_of_anything_is_no_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    for garbage in ["\u{0}\u{1}", "{}\n{}\n", "{\"journal\":1,\"recipe\":\"r\"}\nnull\n{\"request\":3}\n"] {
        let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).open(&path).unwrap();
        file.write_all(garbage.as_bytes()).unwrap();
        assert_eq!(Journal::open(&path, "r").unwrap().n_resumed(), 0);
    }
}

#[test]
fn a_digest_is_of_every_word_and_setting() {
    let message = |content: &str| vec![Message { role: "user".into(), content: content.into() }];
    let plain = digest(&message("a"), &GenerationSpec::default());
    // FNV-1a is the same for ever: a journal written by one version is read by the next.
    assert_eq!(plain, digest(&message("a"), &GenerationSpec::default()));
    assert_ne!(plain, digest(&message("b"), &GenerationSpec::default()));
    assert_ne!(plain, digest(&message("a"), &GenerationSpec { seed: 1, ..GenerationSpec::default() }));
}
