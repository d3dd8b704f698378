//! The loop with the real decoder: it learns, it resumes bit for bit, and how the work is cut up
//! does not show.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use luthier_data::Example;
use luthier_model::{Adapter, AdapterConfig, AdapterKind, LoraInit, Model, ModelConfig, TrainableModel};
use luthier_train::{CheckpointDir, FitEvent, FitOutcome, FitReport, TrainConfig, fit};

const VOCAB: u32 = 17;

fn tiny_model() -> Model {
    let text = r#"{
        "model_type": "llama", "vocab_size": 17, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "rope_theta": 10000.0,
        "tie_word_embeddings": true
    }"#;
    Model::init(ModelConfig::from_json(text).unwrap(), 3)
}

fn full() -> TrainableModel {
    TrainableModel::Full { model: tiny_model() }
}

fn lora(dropout: f64) -> TrainableModel {
    adapted(tiny_model(), AdapterConfig { dropout, ..lora_config() })
}

fn lora_config() -> AdapterConfig {
    AdapterConfig { r: 4, alpha: 8.0, ..AdapterConfig::default() }
}

fn adapted(base: Model, config: AdapterConfig) -> TrainableModel {
    let adapter = Adapter::init(&base, &config, 5).unwrap();
    TrainableModel::Adapter { base, adapter }
}

/// Count upwards from somewhere: each token follows from the one before.
fn examples() -> Vec<Example> {
    let sequence = |i: u32| {
        let input_ids: Vec<u32> = (0..4 + i % 6).map(|t| (i * 5 + t) % VOCAB).collect();
        let labels = input_ids.iter().enumerate().map(|(t, &id)| if t < 2 { -100 } else { id as i32 }).collect();
        Example { input_ids, labels }
    };
    (0..24).map(sequence).collect()
}

fn config() -> TrainConfig {
    TrainConfig {
        max_steps: Some(24),
        batch_size: 4,
        gradient_accumulation_steps: 2,
        learning_rate: 0.02,
        warmup_ratio: 0.1,
        checkpoint_steps: 5,
        ..TrainConfig::default()
    }
}

fn run(trainable: &mut TrainableModel, config: &TrainConfig, dir: &Path, stop_after: Option<u64>) -> FitReport {
    let cancel = AtomicBool::new(false);
    let mut on_event = |event: FitEvent| {
        if let FitEvent::Step(step) = event {
            cancel.store(Some(step.global_step) == stop_after, Ordering::Relaxed);
        }
    };
    let checkpoints = CheckpointDir::open(dir).unwrap();
    let resume = !checkpoints.steps().unwrap().is_empty();
    fit(trainable, &examples(), config, &checkpoints, resume, &mut on_event, &cancel).unwrap()
}

fn bits(trainable: &TrainableModel) -> Vec<u32> {
    let n = trainable.parameters().len();
    (0..n).flat_map(|index| trainable.values(index).iter().map(|value| value.to_bits())).collect()
}

/// `falls_by`: nats that the loss must fall by, so that something was learned at all.
fn assert_resumes(fresh: impl Fn() -> TrainableModel, falls_by: f64) {
    let whole = tempfile::tempdir().unwrap();
    let mut expected = fresh();
    let expected_report = run(&mut expected, &config(), whole.path(), None);
    assert_eq!(expected_report.outcome, FitOutcome::Finished);
    let (first, last) = (expected_report.losses[0], expected_report.losses[23]);
    assert!(last < first - falls_by, "the loss went from {first} to {last}");

    let parts = tempfile::tempdir().unwrap();
    let paused = run(&mut fresh(), &config(), parts.path(), Some(8));
    assert_eq!(paused.outcome, FitOutcome::Paused { step: 8 });
    let mut resumed = fresh();
    let report = run(&mut resumed, &config(), parts.path(), None);
    assert_eq!(report.resumed_from, Some(8));
    assert_eq!(report.losses, expected_report.losses);
    assert!(bits(&resumed) == bits(&expected), "a resumed run ended with other weights");
}

#[test]
fn full_training_resumes_bit_for_bit() {
    assert_resumes(full, 0.3);
}

#[test]
fn lora_with_dropout_resumes_bit_for_bit() {
    // Its head is frozen and random: adapters alone get less far.
    assert_resumes(|| lora(0.1), 0.1);
}

#[test]
fn every_adapter_method_resumes_bit_for_bit() {
    assert_resumes(|| adapted(tiny_model(), AdapterConfig { use_dora: true, ..lora_config() }), 0.1);
    assert_resumes(|| adapted(tiny_model(), AdapterConfig { init: LoraInit::Pissa, ..lora_config() }), 0.05);
    assert_resumes(|| adapted(tiny_model().quantize_nf4(true).unwrap(), lora_config()), 0.1);
    let saved = AdapterConfig { modules_to_save: vec!["embed_tokens".into(), "norm".into()], ..lora_config() };
    assert_resumes(|| adapted(tiny_model(), saved.clone()), 0.1);
    let ia3 = AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..AdapterConfig::default() };
    assert_resumes(|| adapted(tiny_model(), ia3.clone()), 0.0);
}

#[test]
fn a_run_has_the_same_bits_on_any_number_of_threads() {
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let dir = tempfile::tempdir().unwrap();
            let mut trainable = full();
            run(&mut trainable, &config(), dir.path(), None);
            bits(&trainable)
        })
    };
    assert!(on(1) == on(3));
}

#[test]
fn gradient_accumulation_does_not_change_the_loss_curve() {
    // Every step sees all 24 examples.
    let curve = |batch_size, gradient_accumulation_steps| {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig { max_steps: Some(8), batch_size, gradient_accumulation_steps, ..config() };
        run(&mut full(), &config, dir.path(), None).losses
    };
    let whole = curve(24, 1);
    for (batch_size, n_micro_batches) in [(12, 2), (3, 8), (1, 24)] {
        for (a, b) in whole.iter().zip(curve(batch_size, n_micro_batches)) {
            assert!((a - b).abs() < 1e-3, "batch size {batch_size}: {a} against {b}");
        }
    }
}
