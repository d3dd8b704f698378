use super::*;

fn rows(seed: u64, n: usize) -> Vec<Row> {
    let mut dealer = Dealer::new(seed);
    (0..n).filter_map(|_| dealer.next_row()).collect()
}

#[test]
fn the_parts_have_the_sizes_that_an_evaluation_needs() {
    let rows = rows(0, 2000);
    assert!(rows.len() >= 1980, "{} rows: the first turns of a test part may come too early", rows.len());
    let n = |part: Part| rows.iter().filter(|row| row.part == part).count();
    assert!(n(Part::Train) >= 1500 && n(Part::Seen) >= 150 && n(Part::Unseen) >= 150);
    let unseen: BTreeSet<&str> =
        rows.iter().filter(|row| row.part == Part::Unseen).map(|row| row.skeleton.as_str()).collect();
    assert!(unseen.len() >= 25, "{} held-out shapes", unseen.len());
}

#[test]
fn no_held_out_shape_and_no_test_prompt_occurs_in_training() {
    let rows = rows(3, 1500);
    let trained: BTreeSet<&str> =
        rows.iter().filter(|row| row.part == Part::Train).map(|row| row.skeleton.as_str()).collect();
    let prompts: BTreeSet<&str> = rows.iter().map(|row| row.prompt.as_str()).collect();
    assert_eq!(prompts.len(), rows.len(), "a prompt occurs twice");
    for row in &rows {
        match row.part {
            Part::Seen => assert!(trained.contains(row.skeleton.as_str()), "{}", row.skeleton),
            Part::Unseen => assert!(!trained.contains(row.skeleton.as_str()), "{}", row.skeleton),
            _ => {}
        }
    }
}

#[test]
fn what_is_held_out_is_a_composition_of_what_is_taught() {
    let rows = rows(5, 1500);
    let words = |part: Part| -> BTreeSet<&str> {
        rows.iter().filter(|row| row.part == part).flat_map(|row| row.skeleton.split(' ')).collect()
    };
    let taught = words(Part::Train);
    assert!(
        words(Part::Unseen).is_subset(&taught),
        "{:?}",
        words(Part::Unseen).difference(&taught).collect::<Vec<_>>()
    );
}

#[test]
fn rows_depend_on_the_seed_alone() {
    assert_eq!(rows(9, 200), rows(9, 200));
    assert_ne!(rows(9, 200), rows(10, 200));
}
