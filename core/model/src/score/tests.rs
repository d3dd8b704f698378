//! Scores against the training loss, and their independence of the batch.

use super::*;
use crate::TrainableModel;
use crate::testing::{random_adapter, random_batch, randomized, tiny_config};

static NEVER: AtomicBool = AtomicBool::new(false);

fn model() -> Model {
    let mut config = tiny_config();
    config.vocab_size = 40;
    randomized(Model::init(config, 1), 2)
}

#[test]
fn scores_add_up_to_the_training_loss() {
    let model = model();
    let adapter = random_adapter(&model, &Default::default(), 3);
    let batch = random_batch(40, &[30, 1, 70, 12], 4);
    let scores = loglikelihood(&model, Some(&adapter), &batch, &NEVER).unwrap();
    let loss = TrainableModel::Adapter { base: model, adapter }.loss(&batch, &NEVER).unwrap();
    let total: f64 = scores.iter().map(|score| score.loglikelihood).sum();
    assert!((total + loss.nll_sum).abs() < 1e-5 * loss.nll_sum);
    assert_eq!(scores.iter().map(|score| score.n_tokens).sum::<usize>(), loss.n_targets);
}

#[test]
fn a_score_does_not_depend_on_the_batch() {
    let model = model();
    // Several groups of forward passes.
    let batch = random_batch(40, &[900, 1200, 3, 1000, 2100, 40], 5);
    let scores = loglikelihood(&model, None, &batch, &NEVER).unwrap();
    for (range, score) in batch.ranges().zip(&scores) {
        let sequence = (&batch.input_ids[range.clone()], &batch.labels[range]);
        let alone = SequenceBatch::from_sequences([sequence]);
        assert_eq!(loglikelihood(&model, None, &alone, &NEVER).unwrap(), [*score]);
    }
}

#[test]
fn greedy_continuations_are_recognized() {
    let model = model();
    let options = crate::GenerateOptions { max_new_tokens: 6, ..Default::default() };
    let prompt_ids = vec![3, 1, 4, 1, 5];
    let inputs = [crate::GenerateInput { prompt_ids: prompt_ids.clone(), options }];
    let answer = crate::generate(&model, None, &inputs, &mut |_, _| crate::Control::Continue, &NEVER).unwrap();
    let mut ids = prompt_ids;
    ids.extend(&answer[0].ids);
    let labels: Vec<i32> =
        ids.iter().enumerate().map(|(i, &id)| if i < 5 { crate::IGNORE_INDEX } else { id as i32 }).collect();
    let mut other = labels.clone();
    other[8] = (labels[8] + 1) % 40;
    let batch = SequenceBatch::from_sequences([(&ids[..], &labels[..]), (&ids[..], &other[..])]);
    let scores = loglikelihood(&model, None, &batch, &NEVER).unwrap();
    assert_eq!(
        scores.iter().map(|score| (score.n_tokens, score.is_greedy)).collect::<Vec<_>>(),
        [(6, true), (6, false)]
    );
}
