use proptest::prelude::*;

use super::{BatchPlan, CounterRandom, TokenBatch};
use crate::{Example, IGNORE_INDEX};

fn example(input_ids: &[u32]) -> Example {
    let labels = input_ids.iter().enumerate().map(|(i, id)| if i == 0 { IGNORE_INDEX } else { *id as i32 }).collect();
    Example { input_ids: input_ids.to_vec(), labels }
}

#[test]
fn sequences_lie_back_to_back() {
    let batch = TokenBatch::assemble(&[example(&[1, 2, 3]), example(&[4, 5])]);
    assert_eq!(batch.input_ids, [1, 2, 3, 4, 5]);
    assert_eq!(batch.labels, [-100, 2, 3, -100, 5]);
    assert_eq!(batch.offsets, [0, 3, 5]);
    assert_eq!(batch.n_sequences(), 2);
    assert_eq!(TokenBatch::assemble(&[]).offsets, [0]);
}

/// The order is part of what makes a run resumable by a later version: these figures must not
/// change without a "Results changed" entry.
#[test]
fn the_order_of_a_seed_is_fixed() {
    let plan = BatchPlan::new(&[5, 1, 4, 2, 3, 6], 2, 7, 0);
    assert_eq!(plan, BatchPlan::new(&[5, 1, 4, 2, 3, 6], 2, 7, 0));
    assert_eq!(plan.batches, [[1, 3], [4, 2], [0, 5]]);
    let mut random = CounterRandom::new(1, 2);
    assert_eq!([random.next(), random.next()], [6_933_827_990_068_892_541, 14_401_649_423_215_996_120]);
}

#[test]
fn seeds_and_epochs_give_different_orders() {
    let lengths = vec![10; 64];
    let plan = |seed, epoch| BatchPlan::new(&lengths, 4, seed, epoch);
    assert_ne!(plan(0, 0), plan(0, 1));
    assert_ne!(plan(0, 1), plan(1, 0));
    assert_ne!(plan(0, 0), plan(1, 0));
}

#[test]
fn first_places_are_uniform() {
    // Each of 8 indices leads about 1/8 of 4000 epochs: standard deviation 21.
    let mut first = [0_i32; 8];
    for epoch in 0..4000 {
        first[BatchPlan::new(&[1; 8], 1, 42, epoch).batches[0][0]] += 1;
    }
    assert!(first.iter().all(|n| (n - 500).abs() < 100), "{first:?}");
}

#[test]
fn batches_have_similar_lengths_yet_random_order() {
    let lengths: Vec<usize> = (0..1000).map(|i| (i * 7919) % 997 + 1).collect();
    let plan = BatchPlan::new(&lengths, 8, 3, 0);
    let spread = |batch: &Vec<usize>| {
        let of = batch.iter().map(|index| lengths[*index]);
        of.clone().max().unwrap() - of.min().unwrap()
    };
    let mean_spread = plan.batches.iter().map(spread).sum::<usize>() / plan.batches.len();
    // Batches of 8 drawn at random from 1..=997 spread over some 775.
    assert!(mean_spread < 60, "{mean_spread}");
    let rising = plan.batches.windows(2).filter(|pair| lengths[pair[0][0]] < lengths[pair[1][0]]).count();
    assert!((40..=85).contains(&rising), "{rising} of {} steps rise", plan.batches.len() - 1);
}

proptest! {
    #[test]
    fn every_index_occurs_once(lengths in prop::collection::vec(0usize..2000, 0..700), batch_size in 0usize..40, seed: u64, epoch: u64) {
        let plan = BatchPlan::new(&lengths, batch_size, seed, epoch);
        let mut indices = plan.batches.concat();
        indices.sort_unstable();
        prop_assert_eq!(indices, (0..lengths.len()).collect::<Vec<_>>());
        let size = batch_size.max(1);
        let partial = plan.batches.iter().filter(|batch| batch.len() != size).count();
        prop_assert!(partial <= 1 && plan.batches.iter().all(|batch| !batch.is_empty() && batch.len() <= size));
        prop_assert_eq!(plan.batches.len(), lengths.len().div_ceil(size));
    }
}
