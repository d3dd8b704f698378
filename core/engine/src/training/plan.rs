//! What a recipe will need: its data is tokenized, its model's configuration read, nothing trained.

use luthier_data::{BatchPlan, ExampleBuilder, Prompter};
use luthier_model::{BatchShape, ModelConfig, TrainingPlanner, TrainingShape, largest_that_fits, training_seconds};
use luthier_protocol::response::{MemoryPart, TrainingPlan};
use luthier_protocol::spec::{FinetuneSpec, Method, Optimizer};
use luthier_train::{ObjectiveKind, TrainConfig};

use super::config::train_config;
use super::method::adapter_config;
use super::prepare::open_dataset;
use super::rows;
use crate::error::AtExt;
use crate::service::Context;
use crate::task::Task;
use crate::{Error, datasets, models, os};

/// Memory that is left to others when a run is called fitting.
const RESERVE_BYTES: u64 = 256 << 20;
/// Largest micro-batch that is looked for.
const MOST_SEQUENCES: usize = 4096;

/// Plans `spec`.
pub(crate) fn plan(context: Context<'_>, spec: &FinetuneSpec) -> Result<TrainingPlan, Error> {
    let resolved = context.resolve(&spec.model).at("/model")?;
    let config = models::read_config(&resolved.base.dir).at("/model")?;
    let max_seq_len = spec.train.max_seq_len.unwrap_or(config.max_seq_len).min(config.max_seq_len);
    let train = train_config(&spec.train, max_seq_len);
    train.validate().at("/train")?;
    let lengths = lengths(context, spec, &resolved.base.dir, max_seq_len, train.objective.kind)?;
    let shapes = shapes(&lengths, &train);
    let largest = shapes.iter().copied().max_by_key(|shape| shape.n_tokens).unwrap_or_default();
    let longest = lengths.iter().copied().max().unwrap_or(0);

    let adapter = adapter_config(spec)?;
    let method = TrainingShape {
        adapter: adapter.as_ref(),
        nf4: spec.method == Method::Qlora,
        gradient_checkpointing: spec.train.gradient_checkpointing,
        optimizer_bytes: optimizer_bytes(spec.train.optimizer),
    };
    let planner = TrainingPlanner::new(&config, &method).at("/lora")?;
    let process = process_bytes(context, &resolved.base.dir) + quantizing_bytes(spec, &config)?;
    let largest_plan = planner.plan(largest);
    let peak_bytes = process + largest_plan.peak_bytes();
    let available_bytes = (os::available_bytes() + os::resident_bytes()).saturating_sub(RESERVE_BYTES);
    let fits = |shape: BatchShape| process + planner.plan(shape).peak_bytes() <= available_bytes;
    let of_longest = |n: usize| fits(BatchShape::of(std::iter::repeat_n(longest, n)));
    let of_length = |length: usize| fits(BatchShape::of(std::iter::repeat_n(length, train.batch_size)));

    let epoch_flops: f64 = shapes.iter().map(|&shape| planner.plan(shape).flops).sum();
    let steps_per_epoch = shapes.len().div_ceil(train.gradient_accumulation_steps.max(1)).max(1) as u64;
    let total_steps = train.total_steps(steps_per_epoch);
    // Measured once: the figures then fit together, whatever else the machine does.
    let second_per_flop = training_seconds(1.0);
    let seconds = second_per_flop * epoch_flops * total_steps as f64 / steps_per_epoch as f64
        + second_per_flop * reference_flops(epoch_flops, &train, adapter.is_none());
    let mut parts = [
        ("weights", largest_plan.weights_bytes),
        ("activations", largest_plan.activation_bytes),
        ("trained values, gradients, optimizer", largest_plan.trained_bytes),
        ("logits and buffers", largest_plan.scratch_bytes),
        ("the process itself", process),
    ]
    .map(|(name, bytes)| MemoryPart { name: name.to_owned(), bytes });
    parts.sort_by_key(|part| u64::MAX - part.bytes);
    Ok(TrainingPlan {
        model: spec.model.clone(),
        n_parameters: models::describe(&spec.model, "", &resolved.base.dir, None)?.n_parameters,
        n_trainable: largest_plan.n_trainable,
        n_examples: lengths.len() as u64,
        longest_tokens: longest as u64,
        batch_tokens: largest.n_tokens as u64,
        peak_bytes,
        parts: parts.to_vec(),
        available_bytes,
        fits: peak_bytes <= available_bytes,
        largest_batch_size: largest_that_fits(MOST_SEQUENCES, of_longest) as u64,
        largest_seq_len: largest_that_fits(config.max_seq_len, of_length) as u64,
        total_steps,
        seconds_per_batch: second_per_flop * largest_plan.flops,
        seconds_per_block: second_per_flop * largest_plan.block_flops,
        seconds,
        warnings: Vec::new(),
    })
}

/// The micro-batches of an epoch.
fn shapes(lengths: &[usize], train: &TrainConfig) -> Vec<BatchShape> {
    // What a preference compares stays together.
    let units: Vec<&[usize]> = lengths.chunks(train.objective.examples_per_unit()).collect();
    let Some(row) = train.pack_tokens else {
        let unit_lengths: Vec<usize> = units.iter().map(|unit| unit.iter().sum()).collect();
        let batches = BatchPlan::new(&unit_lengths, train.batch_size, train.seed, 0).batches;
        let sequences = |batch: &Vec<usize>| -> Vec<usize> {
            batch.iter().filter_map(|&unit| units.get(unit)).flat_map(|unit| unit.iter().copied()).collect()
        };
        return batches.iter().map(|batch| BatchShape::of(sequences(batch))).collect();
    };
    // Packed rows are nearly full.
    let n_tokens = row * train.batch_size.max(1);
    let n_batches = lengths.iter().sum::<usize>().div_ceil(n_tokens.max(1));
    let squared_lengths = BatchShape::of(lengths.iter().copied()).squared_lengths / n_batches.max(1) as f64;
    vec![BatchShape { n_tokens, squared_lengths }; n_batches]
}

/// Forward passes of the model that a preference objective starts from: one over all examples.
fn reference_flops(epoch_flops: f64, train: &TrainConfig, trains_all: bool) -> f64 {
    let forward = if trains_all { 1.0 / 3.0 } else { 1.0 / 2.0 };
    match train.objective.kind {
        ObjectiveKind::Dpo | ObjectiveKind::Kto => epoch_flops * forward,
        ObjectiveKind::Sft | ObjectiveKind::Orpo => 0.0,
    }
}

/// State per trained value; Adafactor's rows and columns are nothing beside the matrix.
fn optimizer_bytes(optimizer: Optimizer) -> f64 {
    match optimizer {
        Optimizer::AdamW => 8.0,
        // Two codes, and two scales for each block of 256.
        Optimizer::AdamW8bit => 2.0 + 8.0 / 256.0,
        Optimizer::Sgd => 4.0,
        Optimizer::Adafactor => 0.0,
    }
}

/// The weights as they are loaded, of which four-bit ones are made.
fn quantizing_bytes(spec: &FinetuneSpec, config: &ModelConfig) -> Result<u64, Error> {
    if spec.method != Method::Qlora {
        return Ok(0);
    }
    let loaded = TrainingShape { adapter: None, nf4: false, gradient_checkpointing: false, optimizer_bytes: 0.0 };
    Ok(TrainingPlanner::new(config, &loaded)?.plan(BatchShape::default()).weights_bytes)
}

/// Tokens of each example, as training will see them.
fn lengths(
    context: Context<'_>,
    spec: &FinetuneSpec,
    dir: &std::path::Path,
    max_seq_len: usize,
    objective: ObjectiveKind,
) -> Result<Vec<usize>, Error> {
    let dataset = open_dataset(context, spec, None)?;
    let rows = datasets::rows(&dataset, &spec.split).at("/split")?;
    let mut task = Task::open(context, &dataset).at("/data")?;
    let prompter = Prompter::from_dir(dir).at("/model")?;
    let builder =
        ExampleBuilder { prompter, max_seq_len, loss_on: spec.train.loss_on(), on_too_long: spec.train.on_too_long };
    let built = rows::build(context, &dataset, &rows, &mut task, &builder, objective)?;
    Ok(built.examples.iter().map(|example| example.input_ids.len()).collect())
}

/// Memory of the engine without the model that is to be trained, which may be loaded already.
fn process_bytes(context: Context<'_>, dir: &std::path::Path) -> u64 {
    let loaded = context.engine.loaded.peek(dir).map_or(0, |model| 4 * model.model.n_parameters());
    os::resident_bytes().saturating_sub(loaded)
}
