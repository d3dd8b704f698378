//! The invariances on a real decoder, for every objective; and a model that breaks them is caught.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use luthier_data::Example;
use luthier_model::{
    Adapter, AdapterConfig, BatchLoss, DropoutKey, Model, ModelConfig, ParameterInfo, SequenceBatch, TrainableModel,
};
use luthier_train::invariance::{Finding, Subject};
use luthier_train::{Labelled, Objective, ObjectiveKind, OptimizerKind, Result, TrainConfig, Trainable};

fn model() -> TrainableModel {
    let text = r#"{
        "model_type": "llama", "vocab_size": 19, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "rope_theta": 10000.0,
        "tie_word_embeddings": true, "initializer_range": 0.3
    }"#;
    let base = Model::init(ModelConfig::from_json(text).unwrap(), 3);
    let config = AdapterConfig { r: 4, alpha: 8.0, ..AdapterConfig::default() };
    let adapter = Adapter::init(&base, &config, 5).unwrap();
    TrainableModel::Adapter { base, adapter }
}

fn rows() -> Labelled {
    let sequence = |i: u32| {
        let input_ids: Vec<u32> = (0..5 + i % 6).map(|t| (i * 7 + t * t) % 19).collect();
        let labels = input_ids.iter().enumerate().map(|(t, &id)| if t < 3 { -100 } else { id as i32 }).collect();
        Example { input_ids, labels }
    };
    Labelled { examples: (0..8).map(sequence).collect(), desirable: (0..8).map(|i| i % 2 == 0).collect() }
}

fn check(config: &TrainConfig, make: &(dyn Fn() -> Result<Box<dyn Trainable>> + Sync)) -> Vec<Finding> {
    let (scratch, cancel, rows) = (tempfile::tempdir().unwrap(), AtomicBool::new(false), rows());
    let subject = Subject { make, source: &rows, config, scratch: scratch.path(), cancel: &cancel };
    subject.check(&mut |_| {}).unwrap()
}

fn honest() -> Result<Box<dyn Trainable>> {
    Ok(Box::new(model()))
}

#[test]
fn a_decoder_holds_them_all() {
    let objective =
        |kind| TrainConfig { objective: Objective { kind, ..Objective::default() }, ..TrainConfig::default() };
    let configs = [
        TrainConfig::default(),
        TrainConfig { optimizer: OptimizerKind::Adafactor, pack_tokens: Some(24), ..TrainConfig::default() },
        objective(ObjectiveKind::Dpo),
        objective(ObjectiveKind::Orpo),
        objective(ObjectiveKind::Kto),
    ];
    for config in configs {
        let config = TrainConfig { learning_rate: 1e-2, ..config };
        let findings = check(&config, &honest);
        assert!(findings.len() >= 6);
        for finding in findings {
            eprintln!(
                "{:?} {}: {:.1e} of {:.0e}",
                config.objective.kind, finding.name, finding.measured, finding.tolerance
            );
            assert!(finding.passed(), "{:?}: {finding:?}", config.objective.kind);
        }
    }
}

/// A model with a fault: what a row scores depends on its neighbors, and on how often it was asked.
struct Leaky {
    inner: TrainableModel,
    leaks: bool,
    calls: AtomicUsize,
}

static TOTAL_CALLS: AtomicUsize = AtomicUsize::new(0);

impl Trainable for Leaky {
    fn parameters(&self) -> Vec<ParameterInfo> {
        self.inner.parameters()
    }

    fn values(&self, index: usize) -> &[f32] {
        self.inner.values(index)
    }

    fn values_mut(&mut self, index: usize) -> &mut [f32] {
        self.inner.values_mut(index)
    }

    fn accumulate_gradients(
        &self,
        batch: &SequenceBatch,
        loss_scale: f32,
        dropout: Option<DropoutKey>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<BatchLoss> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let drift = if self.leaks { 0.0 } else { 1e-3 * TOTAL_CALLS.fetch_add(1, Ordering::Relaxed) as f32 };
        // A mean of means, the classic fault: each micro-batch counts the same whatever its targets.
        let scale = if self.leaks { 1.0 / batch.n_targets() as f32 } else { loss_scale * (1.0 + drift) };
        self.inner.accumulate_gradients(batch, scale, dropout, gradients, cancel)
    }

    fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<BatchLoss> {
        let loss = self.inner.loss(batch, cancel)?;
        let padding = if self.leaks { 0.01 * batch.n_sequences() as f64 } else { 0.0 };
        Ok(BatchLoss { nll_sum: loss.nll_sum + padding * loss.nll_sum, ..loss })
    }

    fn logps(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<Vec<f64>> {
        let logps = self.inner.logps(batch, cancel)?;
        let leak = if self.leaks { 0.01 * (batch.n_sequences() - 1) as f64 } else { 0.0 };
        Ok(logps.into_iter().map(|logp| logp - leak).collect())
    }

    fn accumulate_objective(
        &self,
        batch: &SequenceBatch,
        dropout: Option<DropoutKey>,
        objective: &mut dyn FnMut(&[f64]) -> Vec<f32>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<()> {
        self.inner.accumulate_objective(batch, dropout, objective, gradients, cancel)
    }

    fn frozen_fingerprint(&self) -> String {
        "leaky".into()
    }
}

fn failed(leaks: bool) -> Vec<&'static str> {
    let make = move || -> Result<Box<dyn Trainable>> {
        Ok(Box::new(Leaky { inner: model(), leaks, calls: AtomicUsize::new(0) }))
    };
    // Without clipping a wrong scale of the gradient is not undone.
    let config = TrainConfig {
        learning_rate: 0.5,
        max_grad_norm: 0.0,
        optimizer: OptimizerKind::Sgd,
        momentum: 0.0,
        ..TrainConfig::default()
    };
    let mut names: Vec<_> = check(&config, &make).into_iter().filter(|f| !f.passed()).map(|f| f.name).collect();
    names.dedup();
    names
}

#[test]
fn a_model_whose_rows_see_each_other_is_caught() {
    assert_eq!(failed(true), ["accumulation", "packed = unpacked", "padded = unpadded", "evaluation"]);
}

#[test]
fn a_model_with_hidden_state_is_caught() {
    let names = failed(false);
    for name in ["same seed", "resume", "threads"] {
        assert!(names.contains(&name), "{names:?}");
    }
}
