use super::*;

#[test]
fn pairs_are_found_and_the_rest_is_named() {
    let outputs = Batch::new(2).with_texts("request-id", ["0", "1"]).with_texts("finish-reason", ["stop", "stop"]).with_texts(
        "output",
        ["```json\n[{\"question\": \"How many?\", \"sql\": \"SELECT count(*) FROM t;\"}, {\"sql\": \"SELECT 1\"}]\n```", "No."],
    );
    let (rows, rejects) = parse(&outputs).unwrap();
    assert_eq!((rows.len(), rows[0].sql.as_str()), (1, "SELECT count(*) FROM t"));
    let codes: Vec<&str> = (0..rejects.rows).map(|row| rejects.utf8("code").unwrap().text(row)).collect();
    assert_eq!(codes, ["missing-field", "no-json"]);
}

#[test]
fn the_question_names_tables_topic_and_what_exists() {
    let n: Int64Column = [Some(4)].into_iter().collect();
    let seeds = Batch::new(1)
        .with_texts("request-id", ["r"])
        .with_texts("topic", ["joins"])
        .with_texts("document", [""])
        .with("n-rows", Column::Int64(n))
        .with_texts("avoid", ["[\"How many?\"]"]);
    let batch = requests("t(a, b)", &seeds).unwrap();
    let text = batch.utf8("messages").unwrap().text(0).to_owned();
    for part in ["Write 4 different", "t(a, b)", "joins", "- How many?"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn a_tenth_is_for_testing_whatever_comes_with_it() {
    let n_test = (0..1000).filter(|i| row(&format!("question {i}"), "SELECT 1").part == Part::AskedTest).count();
    assert!((60..140).contains(&n_test), "{n_test}");
}
