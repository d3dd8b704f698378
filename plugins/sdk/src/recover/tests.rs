use super::*;

fn names(text: &str) -> (Vec<String>, usize, bool) {
    let found = objects(text);
    let name = |object: &Map<String, Value>| object["a"].to_string();
    (found.objects.iter().map(name).collect(), found.n_others, found.is_cut)
}

fn all(text: &str) -> Vec<String> {
    names(text).0
}

#[test]
fn a_list_is_found_whatever_stands_around_it() {
    let list = r#"[{"a": 1}, {"a": 2}]"#;
    for text in [
        list.to_owned(),
        format!("```json\n{list}\n```"),
        format!("Here are [two] rows, as asked:\n\n{list}\nLet me know!"),
        "{\"a\": 1}\n{\"a\": 2}\n".to_owned(),
        "1. {\"a\": 1}\n2. {\"a\": 2}".to_owned(),
        "[{\"a\": 1}\n{\"a\": 2},]".to_owned(),
    ] {
        assert_eq!(names(&text), (vec!["1".to_owned(), "2".to_owned()], 0, false), "{text}");
    }
}

#[test]
fn a_cut_answer_keeps_its_whole_objects() {
    assert_eq!(names(r#"[{"a": 1}, {"a": "hal"#), (vec!["1".to_owned()], 0, true));
    assert_eq!(names(r#"[{"a": 1}"#), (vec!["1".to_owned()], 0, true));
    assert_eq!(names("[{\"a\": "), (vec![], 0, true));
}

#[test]
fn what_is_no_object_is_counted_and_what_is_no_json_is_not_there() {
    assert_eq!(names(r#"["x", {"a": 1}, 3]"#), (vec!["1".to_owned()], 2, false));
    assert!(all("").is_empty() && all("I cannot do that.").is_empty());
    assert!(all("[{'a': 1}]").is_empty(), "single quotes are no JSON");
    assert!(all(&"[".repeat(5000)).is_empty());
}

#[test]
fn nested_lists_belong_to_their_objects() {
    assert_eq!(all(r#"{"a": [{"b": 1}], "c": 2}"#), all(r#"[{"a": [{"b": 1}], "c": 2}]"#));
}
