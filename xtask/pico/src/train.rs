//! The pre-training loop: warm-up, constant rate, linear cooldown. The cooldown starts where the
//! recipe says, or when a share of `--minutes` is spent, or when a file `finish` appears.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use luthier_model::{Model, ModelConfig, TrainableModel};
use luthier_train::adamw::{AdamW, AdamWConfig};
use luthier_train::gradients;
use tokenizers::Tokenizer;

use super::recipe::{Recipe, Train};
use super::state::{self, Progress};
use super::{corpus, evaluate, export, pack, start};

/// Share of a timed run that the cooldown takes.
const COOLDOWN_SHARE: f64 = 0.2;
const REPORT_EVERY: u64 = 20;
const SAVE_EVERY_S: f64 = 150.0;
const EVALUATE_EVERY: u64 = 500;
const MEASURED_TOKENS: usize = 9_000;

/// Trains until the cooldown ends, then exports bf16 weights next to the state.
///
/// # Errors
/// The file system's, the tokenizer's, or the model's.
#[allow(clippy::print_stdout, reason = "the subcommand's progress")]
pub(super) fn train(recipe: &Recipe, out: &Path, minutes: Option<f64>) -> Result<()> {
    if !out.join("tokenizer.json").exists() {
        super::learn_tokenizer(out)?;
    }
    let tokenizer = pack::tokenizer(out)?;
    let config = ModelConfig::from_json(&recipe.config_json().to_string())?;
    let mut trainable = TrainableModel::Full { model: Model::init(config.clone(), recipe.seed) };
    start::lay_circuits(&mut trainable, &config)?;
    let mut optimizer = optimizer(&recipe.train, &trainable);
    let mut progress = state::load(out, &mut trainable, &mut optimizer)?.unwrap_or_default();
    let n_parameters: usize =
        trainable.parameters().iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum();
    println!("{n_parameters} parameters, from step {}", progress.step);
    let mut run = Run { recipe, out, tokenizer, trainable, optimizer, gradients: Vec::new(), minutes };
    run.gradients =
        run.trainable.parameters().iter().map(|parameter| vec![0.0; parameter.shape.iter().product()]).collect();
    run.until_done(&mut progress)?;
    state::save(out, &run.trainable, &run.optimizer, &progress)?;
    println!(
        "finished: steps = {}, cooldown = {:?}, tokens = {}, seconds = {:.0}",
        progress.step, progress.cooldown, progress.n_tokens, progress.seconds
    );
    export::export(recipe, out, &out.join("export"))
}

fn optimizer(train: &Train, trainable: &TrainableModel) -> AdamW {
    let config = AdamWConfig { betas: train.betas, epsilon: 1e-8, weight_decay: train.weight_decay };
    AdamW::new(config, trainable.parameters().iter().map(|parameter| parameter.shape.iter().product()))
}

struct Run<'a> {
    recipe: &'a Recipe,
    out: &'a Path,
    tokenizer: Tokenizer,
    trainable: TrainableModel,
    optimizer: AdamW,
    gradients: Vec<Vec<f32>>,
    minutes: Option<f64>,
}

impl Run<'_> {
    #[allow(clippy::print_stdout, reason = "the subcommand's progress")]
    #[allow(clippy::disallowed_methods, reason = "throughput is measured in wall time")]
    fn until_done(&mut self, progress: &mut Progress) -> Result<()> {
        let (mut nll, mut n_targets, mut n_tokens) = (0.0, 0, 0);
        let (mut saved_at, mut reported) = (progress.seconds, Instant::now());
        while !self.is_done(progress) {
            let started = Instant::now();
            let (loss, targets, tokens) = self.step(progress)?;
            progress.seconds += started.elapsed().as_secs_f64();
            nll += loss;
            n_targets += targets;
            n_tokens += tokens;
            self.schedule_cooldown(progress);
            if progress.step.is_multiple_of(REPORT_EVERY) {
                let rate = n_tokens as f64 / reported.elapsed().as_secs_f64();
                let share = n_targets as f64 / n_tokens as f64;
                println!(
                    "step {} loss {:.4} tokens {} targets {share:.2} {rate:.0} tokens/s lr {:.2e}",
                    progress.step,
                    nll / n_targets as f64,
                    progress.n_tokens,
                    self.learning_rate(progress)
                );
                (nll, n_targets, n_tokens, reported) = (0.0, 0, 0, Instant::now());
            }
            if progress.step.is_multiple_of(EVALUATE_EVERY) {
                println!(
                    "step {} {}",
                    progress.step,
                    evaluate::quick(&self.trainable, &self.tokenizer, self.recipe.seed, MEASURED_TOKENS)?
                );
            }
            if progress.seconds - saved_at > SAVE_EVERY_S {
                state::save(self.out, &self.trainable, &self.optimizer, progress)?;
                saved_at = progress.seconds;
            }
        }
        Ok(())
    }

    fn step(&mut self, progress: &mut Progress) -> Result<(f64, usize, usize)> {
        let train = &self.recipe.train;
        let batch = pack::batch(
            &self.tokenizer,
            corpus::document,
            self.recipe.seed,
            &mut progress.cursor,
            train.tokens_per_step,
        )?;
        let n_targets = batch.labels.iter().filter(|label| **label != luthier_model::IGNORE_INDEX).count();
        gradients::zero(&mut self.gradients);
        let never = AtomicBool::new(false);
        let loss = self
            .trainable
            .accumulate_gradients(&batch, 1.0 / n_targets as f32, None, &mut self.gradients, &never)
            .context("training step")?;
        let norms: Vec<f64> = self.gradients.iter().map(|gradient| gradients::squared_norm(gradient)).collect();
        let scale = gradients::clipping_factor(gradients::global_norm(&norms), train.max_grad_norm);
        let learning_rate = self.learning_rate(progress);
        self.optimizer.begin_step();
        for (index, parameter) in self.trainable.parameters().iter().enumerate() {
            self.optimizer.update(
                index,
                self.trainable.values_mut(index),
                &self.gradients[index],
                scale,
                learning_rate,
                parameter.decay,
            );
        }
        progress.step += 1;
        progress.n_tokens += batch.input_ids.len() as u64;
        Ok((loss.nll_sum, loss.n_targets, batch.input_ids.len()))
    }

    /// Warm-up, constant, linear to zero.
    fn learning_rate(&self, progress: &Progress) -> f64 {
        let train = &self.recipe.train;
        let warm = ((progress.step + 1) as f64 / train.warmup_steps as f64).min(1.0);
        let left =
            progress.cooldown.map_or(1.0, |(start, length)| 1.0 - (progress.step - start) as f64 / length as f64);
        train.learning_rate * warm * left
    }

    fn schedule_cooldown(&self, progress: &mut Progress) {
        let train = &self.recipe.train;
        if progress.cooldown.is_some() {
            return;
        }
        let finish = self.out.join("finish").exists();
        let share = COOLDOWN_SHARE / (1.0 - COOLDOWN_SHARE);
        progress.cooldown = match self.minutes {
            _ if finish => Some((progress.step, (progress.step as f64 * share / 2.0).ceil() as u64)),
            Some(minutes) if progress.seconds >= 60.0 * minutes * (1.0 - COOLDOWN_SHARE) => {
                Some((progress.step, (progress.step as f64 * share).ceil() as u64))
            }
            None if progress.step + train.cooldown_steps >= train.steps => {
                Some((progress.step, train.steps - progress.step))
            }
            _ => None,
        };
    }

    fn is_done(&self, progress: &Progress) -> bool {
        progress.cooldown.is_some_and(|(start, length)| progress.step >= start + length)
    }
}
