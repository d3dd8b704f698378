use super::*;

fn plan(n_examples: usize, config: &TrainConfig) -> StepPlan {
    StepPlan::new((0..n_examples).map(|i| 3 + i % 4).collect(), config).unwrap()
}

fn config() -> TrainConfig {
    TrainConfig { batch_size: 3, gradient_accumulation_steps: 2, epochs: 3.0, ..TrainConfig::default() }
}

#[test]
fn every_epoch_sees_every_example_once_in_another_order() {
    // 20 examples: 7 micro-batches, 4 steps.
    let mut plan = plan(20, &config());
    assert_eq!(plan.total_steps(), 12);
    let mut orders = Vec::new();
    for epoch in 0..3 {
        let seen: Vec<usize> = (0..4).flat_map(|step| plan.micro_batches(epoch * 4 + step).concat()).collect();
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        orders.push(seen);
    }
    assert_ne!(orders[0], orders[1]);
    assert_ne!(orders[1], orders[2]);
}

#[test]
fn a_step_is_the_same_whichever_came_before() {
    let mut forwards = plan(20, &config());
    let steps: Vec<Vec<Vec<usize>>> = (0..12).map(|step| forwards.micro_batches(step).to_vec()).collect();
    let mut backwards = plan(20, &config());
    for step in (0..12).rev() {
        assert_eq!(backwards.micro_batches(step), steps[step as usize]);
    }
}

#[test]
fn the_cursor_counts_epochs_and_steps_within() {
    let plan = plan(20, &config());
    assert_eq!(plan.cursor(9), Cursor { global_step: 9, epoch: 2, position: 1 });
    assert_eq!(plan.epochs_done(6), 1.5);
}

#[test]
fn packed_epochs_see_every_example_once_and_have_as_many_steps() {
    let config = TrainConfig { pack_tokens: Some(16), ..config() };
    let mut plan = plan(200, &config);
    let steps = plan.total_steps() / 3;
    let mut orders = Vec::new();
    for epoch in 0..3 {
        let seen: Vec<usize> = (0..steps).flat_map(|step| plan.micro_batches(epoch * steps + step).concat()).collect();
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..200).collect::<Vec<_>>(), "epoch {epoch}");
        orders.push(seen);
    }
    assert_ne!(orders[0], orders[1]);
    // Rows of 16 tokens, three to a micro-batch: sequences of 3 to 6 tokens fill them.
    let sizes: Vec<usize> = plan.micro_batches(0).iter().map(|batch| batch.iter().map(|i| 3 + i % 4).sum()).collect();
    assert!(sizes.iter().all(|&n| n > 36 && n <= 48), "{sizes:?}");
}
