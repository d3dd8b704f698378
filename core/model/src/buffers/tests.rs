use super::*;

#[test]
fn a_fitting_buffer_is_used_again() {
    let mut waiting = vec![vec![1.0; 5000], vec![2.0; 2100], vec![3.0; 2000]];
    assert_eq!(fitting(&mut waiting, 2000).map(|buffer| buffer[0]), Some(3.0));
    assert_eq!(fitting(&mut waiting, 2000).map(|buffer| buffer[0]), Some(2.0));
    assert_eq!(waiting.len(), 1);
}

#[test]
fn an_allocation_replaces_waiting_buffers_of_its_size() {
    let mut waiting = vec![vec![0.0; 1500], vec![0.0; 1500], vec![0.0; 9000]];
    assert!(fitting(&mut waiting, 3000).is_none());
    assert_eq!(waiting.len(), 1);
}

#[test]
fn lengths_are_those_asked_for() {
    give(vec![1.0f64; 40_000]);
    assert_eq!(take::<f64>(39_000).len(), 39_000);
    assert_eq!(take::<f64>(3).len(), 3);
}
