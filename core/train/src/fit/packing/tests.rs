use super::*;

fn lengths() -> Vec<usize> {
    (0..200).map(|i| 1 + (i * 37) % 53).collect()
}

#[test]
fn every_sequence_is_in_one_row_and_no_row_is_too_full() {
    let lengths = lengths();
    let order: Vec<usize> = (0..lengths.len()).rev().collect();
    let rows = pack(&order, &lengths, 64);
    let mut seen: Vec<usize> = rows.concat();
    seen.sort_unstable();
    assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
    let used = |row: &Vec<usize>| row.iter().map(|&index| lengths[index]).sum::<usize>();
    assert!(rows.iter().all(|row| used(row) <= 64));
    // 5400 tokens in rows of 64: nearly nothing is left empty.
    let least = lengths.iter().sum::<usize>().div_ceil(64);
    assert!(rows.len() <= least + 1, "{} rows where {least} would do", rows.len());
}

#[test]
fn the_number_of_rows_does_not_depend_on_the_order() {
    let lengths = lengths();
    let forwards: Vec<usize> = (0..lengths.len()).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    let (a, b) = (pack(&forwards, &lengths, 60), pack(&backwards, &lengths, 60));
    assert_eq!(a.len(), b.len());
    assert_ne!(a, b);
}

#[test]
fn a_sequence_that_is_too_long_has_a_row_of_its_own() {
    assert_eq!(pack(&[0, 1, 2], &[9, 2, 2], 4), [vec![0], vec![1, 2]]);
}
