//! Everything a killed run needs to go on: weights, moments, and where in the documents it was.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use luthier_model::TrainableModel;
use luthier_train::adamw::AdamW;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

/// Progress besides tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Optimizer steps done.
    pub(super) step: u64,
    /// Next document.
    pub(super) cursor: u64,
    /// Step at which the learning rate started to fall, and over how many.
    pub(super) cooldown: Option<(u64, u64)>,
    /// Tokens seen.
    pub(super) n_tokens: u64,
    /// Seconds of training, restarts left out.
    pub(super) seconds: f64,
}

const FILE: &str = "state.safetensors";
const KEY: &str = "progress";

/// Writes the state; the previous one stays until the new one is complete.
///
/// # Errors
/// The file system's.
pub(super) fn save(directory: &Path, trainable: &TrainableModel, optimizer: &AdamW, progress: &Progress) -> Result<()> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (index, parameter) in trainable.parameters().iter().enumerate() {
        let moments = &optimizer.moments[index];
        for (part, values) in
            [("value", trainable.values(index)), ("first", &moments.first), ("second", &moments.second)]
        {
            tensors.push((format!("{part}.{index}"), parameter.shape.clone(), bytes(values)));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, data)| Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([(KEY.to_owned(), serde_json::to_string(progress)?)]);
    let file = safetensors::serialize(views, Some(metadata))?;
    luthier_data::atomic::write(&directory.join(FILE), &file).context("cannot write the training state")
}

/// Reads the state into a freshly made model and optimizer; none if there is none yet.
///
/// # Errors
/// A state of another recipe, or a damaged file.
pub(super) fn load(
    directory: &Path,
    trainable: &mut TrainableModel,
    optimizer: &mut AdamW,
) -> Result<Option<Progress>> {
    let path = directory.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let file = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (_, metadata) = SafeTensors::read_metadata(&file)?;
    let progress =
        metadata.metadata().as_ref().and_then(|map| map.get(KEY)).context("the training state has no progress")?;
    let progress: Progress = serde_json::from_str(progress)?;
    let tensors = SafeTensors::deserialize(&file)?;
    for index in 0..trainable.parameters().len() {
        let read = |part: &str, into: &mut [f32]| fill(&tensors, &format!("{part}.{index}"), into);
        read("value", trainable.values_mut(index))?;
        read("first", &mut optimizer.moments[index].first)?;
        read("second", &mut optimizer.moments[index].second)?;
    }
    optimizer.step = progress.step;
    Ok(Some(progress))
}

fn fill(tensors: &SafeTensors<'_>, name: &str, into: &mut [f32]) -> Result<()> {
    let data = tensors.tensor(name)?.data().to_vec();
    if data.len() != 4 * into.len() {
        bail!("`{name}` of the training state has {} bytes, the recipe's model needs {}", data.len(), 4 * into.len());
    }
    for (value, bytes) in into.iter_mut().zip(data.chunks_exact(4)) {
        *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    Ok(())
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
