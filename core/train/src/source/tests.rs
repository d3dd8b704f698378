use super::*;

fn example(input_ids: &[u32], labels: &[i32]) -> Example {
    Example { input_ids: input_ids.into(), labels: labels.into() }
}

fn survey_of(data: &Vec<Example>) -> Result<Survey> {
    survey(data, &Objective::default())
}

#[test]
fn no_examples_are_an_error() {
    assert!(matches!(survey_of(&Vec::<Example>::new()), Err(Error::NoExamples)));
}

#[test]
fn examples_without_targets_are_named() {
    let data = vec![example(&[1, 2], &[-100, 2]), example(&[1, 2], &[-100, -100]), example(&[1, 2], &[1, -100])];
    match survey_of(&data) {
        // The last one's only label stands where nothing comes before: no target either.
        Err(Error::NoTargets { n: 2, n_examples: 3, examples }) => assert_eq!(examples, [1, 2]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_and_labels_must_be_as_many() {
    let data = vec![example(&[1, 2, 3], &[-100, 2])];
    assert!(matches!(survey_of(&data), Err(Error::MalformedExample { example: 0, n_input_ids: 3, n_labels: 2 })));
}

#[test]
fn the_fingerprint_is_of_content_and_order() {
    type Columns<'a> = (&'a [u32], &'a [i32]);
    let print = |data: &[Columns<'_>]| {
        survey_of(&data.iter().map(|(ids, labels)| example(ids, labels)).collect::<Vec<_>>()).unwrap().fingerprint
    };
    let (a, b): (Columns<'_>, Columns<'_>) = ((&[1, 2], &[-100, 2]), (&[3, 4], &[-100, 4]));
    assert_eq!(print(&[a, b]), print(&[a, b]));
    assert_ne!(print(&[a, b]), print(&[b, a]));
    assert_ne!(print(&[a, b]), print(&[a, (&[3, 4], &[3, 4])]));
}

#[test]
fn preferences_come_in_whole_units() {
    let one = example(&[1, 2, 3], &[-100, -100, 3]);
    let of = |kind, n: usize| {
        let data = Labelled { examples: vec![one.clone(); n], desirable: vec![true; n] };
        survey(&data, &Objective { kind, ..Objective::default() })
    };
    assert_eq!(of(ObjectiveKind::Dpo, 4).unwrap().lengths, [6, 6]);
    assert!(matches!(of(ObjectiveKind::Orpo, 3), Err(Error::IncompleteUnit { n_examples: 3, per_unit: 2 })));
    assert!(matches!(of(ObjectiveKind::Kto, 1), Err(Error::IncompleteUnit { .. })));
    let thumbs = |second| {
        let data = Labelled { examples: vec![one.clone(); 2], desirable: vec![true, second] };
        survey(&data, &Objective { kind: ObjectiveKind::Kto, ..Objective::default() }).unwrap().fingerprint
    };
    assert_ne!(thumbs(true), thumbs(false), "a thumb is part of the data");
}
