//! What a checkpoint holds: everything that the next step depends on.

use std::borrow::Cow;

use luthier_model::ParameterInfo;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::tensors::{self, Tensor};
use crate::audit::GradientAudit;
use crate::config::TrainConfig;
use crate::optimizer::{Optimizer, StateData};
use crate::{Difference, Error, Result};

/// Where in the data a run is. All of it follows from `global_step`; it is written out so that a
/// person, and a later version with another batch plan, can read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Optimizer steps done.
    pub global_step: u64,
    /// Current pass over the data, from 0.
    pub epoch: u64,
    /// Optimizer steps done in this epoch.
    pub position: u64,
}

/// What makes two runs the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Settings; how often and how much is saved may change from one resume to the next.
    pub config: TrainConfig,
    /// Hash of all examples, in order.
    pub data: String,
    /// Hash of the evaluation data: it decides which weights are best.
    #[serde(default)]
    pub evaluation_data: Option<String>,
    /// Hash of the model that the run started from.
    pub model: String,
}

/// The state of a run after `cursor.global_step` steps. Lent by the run to be written (its tensors
/// are large), owned once read.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint<'a> {
    /// Where the run is. The seed in `identity` is the whole state of the random numbers: they are
    /// functions of it and the step.
    pub cursor: Cursor,
    /// Whose state it is.
    pub identity: Cow<'a, Identity>,
    /// Names of the trainable tensors, in parameter order.
    pub names: Cow<'a, [String]>,
    /// Their values.
    pub values: Vec<Cow<'a, [f32]>>,
    /// What the optimizer remembers.
    pub optimizer: Vec<OptimizerState<'a>>,
    /// The gradient-flow audit so far.
    pub audit: Cow<'a, GradientAudit>,
    /// Mean loss of every step.
    pub losses: Cow<'a, [f64]>,
    /// Step, loss and number of tokens of every evaluation, three numbers each.
    pub evaluations: Vec<f64>,
    /// Tokens trained on so far.
    pub n_target_tokens: u64,
    /// Seconds spent training so far.
    pub seconds: f64,
}

/// One piece of an optimizer's state.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<'a> {
    /// `first_moment`, `momentum`, …
    pub kind: Cow<'a, str>,
    /// Which trainable tensor it belongs to.
    pub index: usize,
    /// The numbers.
    pub data: StateData<'a>,
}

impl<'a> OptimizerState<'a> {
    /// All of them, lent.
    pub fn of(optimizer: &'a dyn Optimizer) -> Vec<OptimizerState<'a>> {
        let piece = |tensor: crate::optimizer::StateTensor<'a>| OptimizerState {
            kind: Cow::Borrowed(tensor.kind),
            index: tensor.index,
            data: tensor.data,
        };
        optimizer.state().into_iter().map(piece).collect()
    }
}

/// `state.json`: all but the tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    cursor: Cursor,
    identity: Identity,
    tensors: Vec<String>,
    /// Kind and tensor of each piece of optimizer state, in order.
    optimizer: Vec<(String, usize)>,
    audit: GradientAudit,
    n_target_tokens: u64,
    seconds: f64,
}

/// Losses are f64 in the tensor file: JSON would have to round-trip the last bit.
const LOSSES: &str = "run.losses";
const EVALUATIONS: &str = "run.evaluations";

impl Checkpoint<'_> {
    pub(super) fn header(&self) -> Header {
        Header {
            cursor: self.cursor,
            identity: self.identity.clone().into_owned(),
            tensors: self.names.to_vec(),
            optimizer: self.optimizer.iter().map(|piece| (piece.kind.to_string(), piece.index)).collect(),
            audit: self.audit.clone().into_owned(),
            n_target_tokens: self.n_target_tokens,
            seconds: self.seconds,
        }
    }

    pub(super) fn tensors(&self) -> Vec<(String, Tensor<'_>)> {
        let mut tensors = vec![
            (LOSSES.to_owned(), Tensor::F64(&self.losses)),
            (EVALUATIONS.to_owned(), Tensor::F64(&self.evaluations)),
        ];
        for (name, values) in self.names.iter().zip(&self.values) {
            tensors.push((format!("parameter.{name}"), Tensor::F32(values)));
        }
        for piece in &self.optimizer {
            let name = format!("{}.{}", piece.kind, self.names[piece.index]);
            tensors.push(match &piece.data {
                StateData::F32(values) => (name, Tensor::F32(values)),
                StateData::U8(values) => (name, Tensor::U8(values)),
            });
        }
        tensors
    }

    pub(super) fn parse(state: &[u8], tensor_file: &[u8]) -> std::result::Result<Checkpoint<'static>, String> {
        let header: Header =
            serde_json::from_slice(state).map_err(|error| format!("{}: {error}", super::STATE_FILE))?;
        let file =
            SafeTensors::deserialize(tensor_file).map_err(|error| format!("{}: {error}", super::TENSORS_FILE))?;
        let losses = tensors::read_f64(&file, LOSSES)?;
        if losses.len() as u64 != header.cursor.global_step || header.audit.n_tensors() != header.tensors.len() {
            return Err("its parts do not belong together".into());
        }
        let evaluations = tensors::read_f64(&file, EVALUATIONS)?;
        let mut values = Vec::with_capacity(header.tensors.len());
        for name in &header.tensors {
            values.push(tensors::read_f32(&file, &format!("parameter.{name}"))?.into());
        }
        let mut optimizer = Vec::with_capacity(header.optimizer.len());
        for (kind, index) in header.optimizer {
            let name = header.tensors.get(index).ok_or("its optimizer state belongs to no tensor")?;
            let data = tensors::read_state(&file, &format!("{kind}.{name}"))?;
            optimizer.push(OptimizerState { kind: kind.into(), index, data });
        }
        Ok(Checkpoint {
            cursor: header.cursor,
            identity: Cow::Owned(header.identity),
            names: header.tensors.into(),
            values,
            optimizer,
            audit: Cow::Owned(header.audit),
            losses: losses.into(),
            evaluations,
            n_target_tokens: header.n_target_tokens,
            seconds: header.seconds,
        })
    }

    /// Refuse to go on under another identity or with other tensors, naming all that differs.
    pub(crate) fn check(
        &self,
        identity: &Identity,
        parameters: &[ParameterInfo],
        optimizer: &dyn Optimizer,
    ) -> Result<()> {
        let mut differences = self.identity.differences(identity);
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let lengths: Vec<usize> = parameters.iter().map(|parameter| parameter.shape.iter().product()).collect();
        let piece = |kind: &str, index: usize, data: &StateData<'_>| (kind.to_owned(), index, data.len());
        let saved = self.optimizer.iter().map(|state| piece(&state.kind, state.index, &state.data));
        let wanted = optimizer.state().into_iter().map(|state| piece(state.kind, state.index, &state.data));
        let same = self.names.iter().eq(names.iter())
            && self.values.iter().map(|values| values.len()).eq(lengths.iter().copied())
            && saved.eq(wanted);
        if !same {
            differences.push(Difference {
                what: "trainable tensors".into(),
                checkpoint: count(self.names.len(), self.values.iter().map(|values| values.len()).sum()),
                run: count(names.len(), lengths.iter().sum()),
            });
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Mismatch { step: self.cursor.global_step, differences })
    }
}

fn count(n_tensors: usize, n_values: usize) -> String {
    format!("{n_tensors} tensors with {n_values} values")
}

impl Identity {
    /// All that differs and matters to the result.
    fn differences(&self, run: &Identity) -> Vec<Difference> {
        let mut differences = Vec::new();
        let (ours, theirs) = (settings(&self.config), settings(&run.config));
        for (key, checkpoint) in &ours {
            let found = theirs.get(key).cloned().unwrap_or_default();
            if *checkpoint != found {
                let what = format!("config.{key}");
                differences.push(Difference { what, checkpoint: checkpoint.to_string(), run: found.to_string() });
            }
        }
        let none = "none".to_owned();
        let evaluation = (self.evaluation_data.as_ref(), run.evaluation_data.as_ref());
        let hashes = [
            ("data", &self.data, &run.data),
            ("evaluation data", evaluation.0.unwrap_or(&none), evaluation.1.unwrap_or(&none)),
            ("model", &self.model, &run.model),
        ];
        for (what, checkpoint, run) in hashes {
            if checkpoint != run {
                let (checkpoint, run) = (shorten(checkpoint), shorten(run));
                differences.push(Difference { what: what.into(), checkpoint, run });
            }
        }
        differences
    }
}

/// The settings that shape the result, as JSON by key. Through text, as the checkpoint's own came:
/// reading a decimal number may cost its last bit, and must then cost both sides the same.
fn settings(config: &TrainConfig) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_string(config).and_then(|text| serde_json::from_str(&text)) {
        Ok(serde_json::Value::Object(mut settings)) => {
            // How often and how much a run saves changes nothing in it.
            settings.shift_remove("checkpoint_steps");
            settings.shift_remove("keep_checkpoints");
            settings
        }
        _ => serde_json::Map::new(),
    }
}

/// Enough of a hash to tell two apart.
fn shorten(hash: &str) -> String {
    hash.chars().take("sha256:".len() + 12).collect()
}
