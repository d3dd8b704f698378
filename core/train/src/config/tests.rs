use super::*;

fn refused(change: impl FnOnce(&mut TrainConfig)) -> &'static str {
    let mut config = TrainConfig::default();
    change(&mut config);
    match config.validate() {
        Err(Error::InvalidConfig { key, .. }) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_default_is_valid() {
    TrainConfig::default().validate().unwrap();
}

#[test]
fn values_out_of_range_are_named() {
    assert_eq!(refused(|config| config.epochs = 0.0), "epochs");
    assert_eq!(refused(|config| config.epochs = f64::NAN), "epochs");
    assert_eq!(refused(|config| config.max_steps = Some(0)), "max_steps");
    assert_eq!(refused(|config| config.batch_size = 0), "batch_size");
    assert_eq!(refused(|config| config.gradient_accumulation_steps = 0), "gradient_accumulation_steps");
    assert_eq!(refused(|config| config.learning_rate = -1e-3), "learning_rate");
    assert_eq!(refused(|config| config.learning_rate = f64::INFINITY), "learning_rate");
    assert_eq!(refused(|config| config.warmup_ratio = 1.5), "warmup_ratio");
    assert_eq!(refused(|config| config.weight_decay = -0.1), "weight_decay");
    assert_eq!(refused(|config| config.betas.1 = 1.0), "betas");
    assert_eq!(refused(|config| config.epsilon = 0.0), "epsilon");
    assert_eq!(refused(|config| config.max_grad_norm = f64::NAN), "max_grad_norm");
}

#[test]
fn steps_follow_from_epochs_unless_given() {
    let config = TrainConfig { epochs: 2.5, ..TrainConfig::default() };
    assert_eq!(config.total_steps(7), 18);
    assert_eq!(TrainConfig { max_steps: Some(3), ..config.clone() }.total_steps(7), 3);
    assert_eq!(config.n_warmup_steps(100), 3);
    assert_eq!(TrainConfig { warmup_steps: Some(9), ..config }.n_warmup_steps(100), 9);
}
