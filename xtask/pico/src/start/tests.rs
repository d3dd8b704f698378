use std::sync::atomic::AtomicBool;

use luthier_model::{IGNORE_INDEX, Model, ModelConfig, SequenceBatch, TrainableModel};

use super::lay_circuits;
use crate::recipe::Recipe;

/// Mean loss over the second half of a sequence of four random tokens repeated, before any training.
fn loss_of_repetition(with_circuits: bool) -> f64 {
    let recipe = Recipe::read(&crate::assets().join("recipe.toml")).expect("the committed recipe is read");
    let config = ModelConfig::from_json(&recipe.config_json().to_string()).expect("the recipe's shape is a model's");
    let mut trainable = TrainableModel::Full { model: Model::init(config.clone(), 1) };
    if with_circuits {
        lay_circuits(&mut trainable, &config).expect("the recipe's shape has room");
    }
    let tokens = [310, 1204, 77, 950, 1777];
    let input_ids: Vec<u32> = tokens.iter().copied().cycle().take(40).collect();
    let labels = input_ids.iter().enumerate().map(|(at, id)| if at < 20 { IGNORE_INDEX } else { *id as i32 }).collect();
    let batch = SequenceBatch { offsets: vec![0, input_ids.len() as u32], input_ids, labels };
    let loss = trainable.loss(&batch, &AtomicBool::new(false)).expect("a loss");
    loss.nll_sum / loss.n_targets as f64
}

#[test]
fn a_repetition_is_continued_before_any_training() {
    let (without, with) = (loss_of_repetition(false), loss_of_repetition(true));
    assert!(without > 6.0, "{without}");
    assert!(with < 3.0, "{with}");
}
