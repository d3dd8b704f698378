//! From the protocol's `[train]` table to the training loop's settings.

use luthier_protocol::spec::{DpoLoss, Objective, Optimizer, Schedule, TrainSpec};
use luthier_train::{ObjectiveKind, OptimizerKind, TrainConfig};

/// Settings of a run whose sequences have at most `max_seq_len` tokens.
pub(super) fn train_config(spec: &TrainSpec, max_seq_len: usize) -> TrainConfig {
    TrainConfig {
        epochs: spec.epochs,
        max_steps: spec.max_steps,
        batch_size: spec.batch_size,
        gradient_accumulation_steps: spec.gradient_accumulation_steps,
        pack_tokens: spec.packing.then_some(max_seq_len),
        objective: objective(spec),
        neftune_alpha: spec.neftune_alpha,
        optimizer: match spec.optimizer {
            Optimizer::AdamW => OptimizerKind::AdamW,
            Optimizer::AdamW8bit => OptimizerKind::AdamW8bit,
            Optimizer::Sgd => OptimizerKind::Sgd,
            Optimizer::Adafactor => OptimizerKind::Adafactor,
        },
        momentum: spec.momentum,
        learning_rate: spec.learning_rate,
        schedule: match spec.schedule {
            Schedule::Cosine => luthier_train::Schedule::Cosine,
            Schedule::Linear => luthier_train::Schedule::Linear,
            Schedule::Constant => luthier_train::Schedule::Constant,
            Schedule::Wsd => luthier_train::Schedule::Wsd,
        },
        warmup_ratio: spec.warmup_ratio,
        warmup_steps: spec.warmup_steps,
        decay_ratio: spec.decay_ratio,
        weight_decay: spec.weight_decay,
        betas: spec.betas,
        epsilon: spec.epsilon,
        max_grad_norm: spec.max_grad_norm,
        seed: spec.seed,
        checkpoint_steps: spec.checkpoint_steps,
        keep_checkpoints: spec.keep_checkpoints,
        eval_steps: spec.eval_steps,
        early_stopping_patience: spec.early_stopping_patience,
        early_stopping_threshold: spec.early_stopping_threshold,
        load_best: spec.load_best,
    }
}

fn objective(spec: &TrainSpec) -> luthier_train::Objective {
    luthier_train::Objective {
        kind: match spec.objective {
            Objective::Sft => ObjectiveKind::Sft,
            Objective::Dpo => ObjectiveKind::Dpo,
            Objective::Orpo => ObjectiveKind::Orpo,
            Objective::Kto => ObjectiveKind::Kto,
        },
        beta: spec.beta,
        dpo_loss: match spec.dpo_loss {
            DpoLoss::Sigmoid => luthier_train::DpoLoss::Sigmoid,
            DpoLoss::Hinge => luthier_train::DpoLoss::Hinge,
            DpoLoss::Ipo => luthier_train::DpoLoss::Ipo,
            DpoLoss::Robust => luthier_train::DpoLoss::Robust,
        },
        label_smoothing: spec.label_smoothing,
        desirable_weight: spec.desirable_weight,
        undesirable_weight: spec.undesirable_weight,
    }
}
