use super::*;

fn example(input_ids: &[u32], labels: &[i32]) -> Example {
    Example { input_ids: input_ids.into(), labels: labels.into() }
}

#[test]
fn no_examples_are_an_error() {
    assert!(matches!(survey(&Vec::<Example>::new()), Err(Error::NoExamples)));
}

#[test]
fn examples_without_targets_are_named() {
    let data = vec![example(&[1, 2], &[-100, 2]), example(&[1, 2], &[-100, -100]), example(&[1, 2], &[1, -100])];
    match survey(&data) {
        // The last one's only label stands where nothing comes before: no target either.
        Err(Error::NoTargets { n: 2, n_examples: 3, examples }) => assert_eq!(examples, [1, 2]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_and_labels_must_be_as_many() {
    let data = vec![example(&[1, 2, 3], &[-100, 2])];
    assert!(matches!(survey(&data), Err(Error::MalformedExample { example: 0, n_input_ids: 3, n_labels: 2 })));
}

#[test]
fn the_fingerprint_is_of_content_and_order() {
    type Columns<'a> = (&'a [u32], &'a [i32]);
    let print = |data: &[Columns<'_>]| {
        survey(&data.iter().map(|(ids, labels)| example(ids, labels)).collect::<Vec<_>>()).unwrap().fingerprint
    };
    let (a, b): (Columns<'_>, Columns<'_>) = ((&[1, 2], &[-100, 2]), (&[3, 4], &[-100, 4]));
    assert_eq!(print(&[a, b]), print(&[a, b]));
    assert_ne!(print(&[a, b]), print(&[b, a]));
    assert_ne!(print(&[a, b]), print(&[a, (&[3, 4], &[3, 4])]));
}
