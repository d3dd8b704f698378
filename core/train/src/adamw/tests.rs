use super::*;

const CONFIG: AdamWConfig = AdamWConfig { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.1 };

#[test]
fn the_first_update_moves_by_the_learning_rate() {
    let mut optimizer = AdamW::new(CONFIG, [2]);
    let mut values = [1.0, -2.0];
    optimizer.begin_step();
    optimizer.update(0, &mut values, &[0.3, -40.0], 1.0, 0.01, false);
    assert!((values[0] - 0.99).abs() < 1e-6 && (values[1] + 1.99).abs() < 1e-6, "{values:?}");
}

#[test]
fn only_tensors_that_decay_decay() {
    let mut optimizer = AdamW::new(CONFIG, [1, 1]);
    let (mut matrix, mut bias) = ([1.0], [1.0]);
    optimizer.begin_step();
    optimizer.update(0, &mut matrix, &[0.0], 1.0, 0.5, true);
    optimizer.update(1, &mut bias, &[0.0], 1.0, 0.5, false);
    assert_eq!((matrix, bias), ([0.95], [1.0]));
}
