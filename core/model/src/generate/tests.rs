//! Generation against recomputation from scratch, its invariances, and the sampling filters.

use super::sample::{distribution, sample};
use super::*;
use crate::decoder::Decoder;
use crate::testing::{random_ids, randomized, tiny_config};
use crate::{AdapterConfig, SequenceBatch};

static NEVER: AtomicBool = AtomicBool::new(false);

fn model() -> Model {
    let mut config = tiny_config();
    (config.vocab_size, config.hidden_size, config.intermediate_size) = (61, 24, 40);
    randomized(Model::init(config, 1), 2)
}

fn greedy(max_new_tokens: usize) -> GenerateOptions {
    GenerateOptions { max_new_tokens, ..GenerateOptions::default() }
}

fn run(model: &Model, adapter: Option<&Adapter>, inputs: &[GenerateInput]) -> Vec<Generated> {
    generate(model, adapter, inputs, &mut |_, _| Control::Continue, &NEVER).unwrap()
}

/// The most likely next token by the training forward pass, which shares no code with the cache.
fn next_by_training_pass(model: &Model, lora: Option<&Adapter>, ids: &[u32]) -> u32 {
    let decoder = Decoder::new(model.config(), model.weights(), lora.map(|adapter| adapter.weights.as_ref()));
    let loss_of = |next: u32| {
        let mut ids = ids.to_vec();
        ids.push(next);
        let mut labels = vec![crate::IGNORE_INDEX; ids.len()];
        labels[ids.len() - 1] = next as i32;
        let batch = SequenceBatch::from_sequences([(&ids[..], &labels[..])]);
        decoder.loss(&batch, &NEVER).unwrap().nll_sum
    };
    let losses: Vec<f64> = (0..model.config().vocab_size as u32).map(loss_of).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    losses.iter().position(|&loss| loss == best).unwrap() as u32
}

#[test]
fn cached_generation_equals_recomputation_from_scratch() {
    let model = model();
    let adapter = crate::testing::random_adapter(&model, &AdapterConfig { r: 3, ..AdapterConfig::default() }, 9);
    for lora in [None, Some(&adapter)] {
        let prompt_ids = random_ids(61, 9, 3);
        let answer = run(&model, lora, &[GenerateInput { prompt_ids: prompt_ids.clone(), options: greedy(12) }]);
        let mut ids = prompt_ids;
        for &id in &answer[0].ids {
            assert_eq!(id, next_by_training_pass(&model, lora, &ids));
            ids.push(id);
        }
        assert_eq!(answer[0].finish_reason, FinishReason::Length);
    }
}

/// More prompts than places, of different lengths, some with a common beginning.
fn mixed_inputs() -> Vec<GenerateInput> {
    let prefix = random_ids(61, 70, 5);
    (0..45)
        .map(|i| {
            let mut prompt_ids = match i % 3 {
                0 => prefix.clone(),
                1 => prefix[..40].to_vec(),
                _ => Vec::new(),
            };
            prompt_ids.extend(random_ids(61, 1 + (i * 7) % 90, 100 + i as u64));
            let sampled = GenerateOptions { temperature: 0.9, top_p: 0.95, seed: i as u64, ..greedy(20) };
            let options = if i % 2 == 0 { greedy(5 + i % 30) } else { sampled };
            GenerateInput { prompt_ids, options }
        })
        .collect()
}

#[test]
fn answers_do_not_depend_on_the_batch() {
    let model = model();
    let inputs = mixed_inputs();
    let together = run(&model, None, &inputs);
    for (input, answer) in inputs.iter().zip(&together) {
        assert_eq!(run(&model, None, std::slice::from_ref(input))[0], *answer);
    }
}

#[test]
fn answers_do_not_depend_on_threads() {
    let model = model();
    let inputs = mixed_inputs();
    let with = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| run(&model, None, &inputs))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn stop_tokens_end_an_answer_and_are_not_part_of_it() {
    let model = model();
    let input = GenerateInput { prompt_ids: random_ids(61, 8, 6), options: greedy(10) };
    let free = run(&model, None, std::slice::from_ref(&input)).remove(0);
    let stop = free.ids[4];
    let first = free.ids.iter().position(|&id| id == stop).unwrap();
    let options = GenerateOptions { stop_token_ids: vec![stop], ..input.options };
    let stopped = run(&model, None, &[GenerateInput { options, ..input }]).remove(0);
    assert_eq!(stopped, Generated { ids: free.ids[..first].to_vec(), finish_reason: FinishReason::Stop });
}

#[test]
fn the_closure_sees_every_token_and_may_stop() {
    let model = model();
    let inputs = [4, 9].map(|seed| GenerateInput { prompt_ids: random_ids(61, 5, seed), options: greedy(8) });
    let mut calls = [0, 0];
    let mut on_token = |input: usize, ids: &[u32]| {
        calls[input] += 1;
        assert_eq!(ids.len(), calls[input]);
        if input == 0 && ids.len() == 3 { Control::Stop } else { Control::Continue }
    };
    let answers = generate(&model, None, &inputs, &mut on_token, &NEVER).unwrap();
    assert_eq!((answers[0].ids.len(), answers[0].finish_reason), (3, FinishReason::Stop));
    assert_eq!((answers[1].ids.len(), answers[1].finish_reason), (8, FinishReason::Length));
    assert_eq!(calls, [3, 8]);
}

#[test]
fn bad_requests_are_named() {
    let model = model();
    let check = |prompt_ids: Vec<u32>, options: GenerateOptions, message: &str| {
        let inputs = [GenerateInput { prompt_ids, options }];
        let error = generate(&model, None, &inputs, &mut |_, _| Control::Continue, &NEVER).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    check(vec![], greedy(1), "generation: prompt of input 0 is empty, expected at least one token");
    check(vec![61], greedy(1), "generation: token id of input 0 is 61, expected below the vocabulary's size 61");
    let hot = GenerateOptions { temperature: -1.0, ..greedy(1) };
    check(vec![1], hot, "generation: temperature of input 0 is -1, expected 0 or a positive number");
    let top_p = GenerateOptions { top_p: 0.0, ..greedy(1) };
    check(vec![1], top_p, "generation: top_p of input 0 is 0, expected in (0, 1]");
}

#[test]
fn interrupts_and_empty_requests() {
    let model = model();
    let input = GenerateInput { prompt_ids: vec![1, 2], options: greedy(4) };
    let cancel = AtomicBool::new(true);
    let result = generate(&model, None, std::slice::from_ref(&input), &mut |_, _| Control::Continue, &cancel);
    assert!(matches!(result, Err(Error::Interrupted)));
    assert_eq!(run(&model, None, &[]), []);
    let none = GenerateInput { options: greedy(0), ..input };
    let empty = Generated { ids: vec![], finish_reason: FinishReason::Length };
    assert_eq!(run(&model, None, &[none]), [empty]);
}

/// Logits whose probabilities at temperature 1 are the given ones.
fn logits(probabilities: &[f64]) -> Vec<f32> {
    probabilities.iter().map(|p| p.ln() as f32).collect()
}

fn kept(probabilities: &[f64], options: GenerateOptions) -> Vec<u32> {
    distribution(&logits(probabilities), &options).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn filters_keep_what_transformers_keeps() {
    let p = [0.1, 0.4, 0.05, 0.3, 0.15];
    let options = GenerateOptions { temperature: 1.0, ..GenerateOptions::default() };
    let top_k = |k| GenerateOptions { top_k: k, ..options.clone() };
    let top_p = |p| GenerateOptions { top_p: p, ..options.clone() };
    assert_eq!(kept(&p, options.clone()), [0, 1, 2, 3, 4]);
    assert_eq!(kept(&p, top_k(2)), [1, 3]);
    assert_eq!(kept(&p, top_k(99)), [0, 1, 2, 3, 4]);
    // 0.4 and 0.3 reach 0.7 only up to rounding; 0.69 needs two tokens, 0.71 three.
    assert_eq!(kept(&p, top_p(0.69)), [1, 3]);
    assert_eq!(kept(&p, top_p(0.71)), [1, 3, 4]);
    assert_eq!(kept(&p, top_p(0.01)), [1]);
    // Top-p works on what top-k has left: of {0.4, 0.3} renormalized, 0.5 needs the first alone.
    assert_eq!(kept(&p, GenerateOptions { top_k: 2, ..top_p(0.5) }), [1]);
    // A lower temperature concentrates the mass before top-p looks at it.
    assert_eq!(kept(&p, GenerateOptions { temperature: 0.2, ..top_p(0.7) }), [1]);
}

#[test]
fn draws_follow_the_distribution() {
    let p = [0.5, 0.2, 0.3];
    let options = GenerateOptions { temperature: 1.0, seed: 3, ..GenerateOptions::default() };
    let n = 20_000;
    let mut counts = [0.0; 3];
    for step in 0..n {
        counts[sample(&logits(&p), &options, step) as usize] += 1.0 / n as f64;
    }
    for (count, p) in counts.iter().zip(p) {
        // Four standard errors.
        assert!((count - p).abs() < 4.0 * (p * (1.0 - p) / n as f64).sqrt());
    }
}

#[test]
fn greedy_takes_the_first_of_equal_logits() {
    assert_eq!(argmax(&[0.0, 2.0, 2.0, 1.0]), 1);
}
