use super::*;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn keys_of_either_side_are_shown_once() {
    let (ours, theirs) = (pairs(&[("a", "1"), ("b", "2")]), pairs(&[("b", "3"), ("c", "4")]));
    let found: Vec<_> = side_by_side(&ours, &theirs).into_iter().map(|d| (d.key, d.run, d.against)).collect();
    let some = |text: &str| Some(text.to_owned());
    let expected =
        [("a".to_owned(), some("1"), None), ("b".to_owned(), some("2"), some("3")), ("c".to_owned(), None, some("4"))];
    assert_eq!(found, expected);
}
