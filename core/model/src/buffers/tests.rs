use super::*;

fn pool(waiting: &[(f64, usize)]) -> State<f64> {
    let waiting: Vec<Vec<f64>> = waiting.iter().map(|&(value, n)| vec![value; n]).collect();
    let n_waiting = waiting.iter().map(Vec::capacity).sum();
    State { waiting, n_waiting, n_out: 0, most_out: [0; 2] }
}

#[test]
fn a_fitting_buffer_is_used_again() {
    let mut pool = pool(&[(1.0, 5000), (2.0, 2100), (3.0, 2000)]);
    assert_eq!(pool.take(2000).map(|buffer| buffer[0]), Some(3.0));
    assert_eq!(pool.take(2000).map(|buffer| buffer[0]), Some(2.0));
    assert_eq!((pool.waiting.len(), pool.n_waiting, pool.n_out), (1, 5000, 4100));
}

#[test]
fn an_allocation_replaces_waiting_buffers_of_its_size() {
    let mut pool = pool(&[(0.0, 1500), (0.0, 1500), (0.0, 9000)]);
    assert!(pool.take(3000).is_none());
    assert_eq!((pool.waiting.len(), pool.n_waiting), (1, 9000));
}

#[test]
fn waiting_buffers_are_never_more_than_was_out_at_one_time() {
    let mut pool = pool(&[]);
    let taken = [(); 3].map(|()| pool.take(2000).unwrap_or_else(|| vec![0.0; 2000]));
    // Buffers that were not taken here make no room for themselves.
    (0..10).for_each(|_| pool.give(vec![0.0; 2000]));
    taken.into_iter().for_each(|buffer| pool.give(buffer));
    assert_eq!(pool.n_waiting, 6000);
    // What is out leaves less room for what waits.
    let _out = pool.take(5000);
    assert!(pool.n_waiting <= 2000);
}

#[test]
fn lengths_are_those_asked_for() {
    give(vec![1.0f64; 40_000]);
    assert_eq!(take::<f64>(39_000).len(), 39_000);
    assert_eq!(take::<f64>(3).len(), 3);
}
