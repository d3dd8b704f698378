//! A decoder's configuration and weights: loading, initial values, saving, identity.

#[cfg(test)]
mod tests;

use crate::io::{TensorFiles, read_text, serialize, write_atomic};
use crate::layout::{Aliases, layout};
use crate::quant::Nf4;
use crate::rng::CounterRng;
use crate::weights::{NamedTensor, Storage, Weights, transposed};
use crate::{Error, ModelConfig, NormKind, Result};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A decoder: configuration and f32 weights. Cloning is cheap; clones share the weights until one of
/// them is trained.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
    /// See [`Model::set_gradient_checkpointing`].
    gradient_checkpointing: bool,
}

#[derive(Debug, Clone)]
struct Inner {
    config: ModelConfig,
    weights: Weights<f32>,
    /// Computed on first use.
    fingerprint: OnceLock<String>,
}

/// Data type of saved weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveDtype {
    /// 32-bit floats: exactly the weights in memory.
    F32,
    /// bfloat16, rounded to nearest even: half the size.
    Bf16,
    /// IEEE half precision, rounded to nearest even: half the size, three more bits, a smaller range.
    F16,
}

/// Separates initial weights from other uses of a seed.
const INIT_STREAM: u64 = 0x6d6f_6465_6c69_6e69;

impl Model {
    /// Loads `config.json` and `model.safetensors` (or the shards of `model.safetensors.index.json`, or
    /// `model.gguf`) from `dir`; weights of any type become f32, but NF4 ones of bitsandbytes stay as they are.
    ///
    /// Large f32 files are mapped, not copied: processes share their memory. Whoever writes over such a file
    /// in place changes the model in use, or ends the process; replacing it by renaming is safe.
    pub fn load(dir: &Path) -> Result<Model> {
        let config = ModelConfig::from_json(&read_text(&dir.join("config.json"))?)?;
        let (specs, layout) = layout(&config);
        if let Some(path) = gguf_file(dir) {
            let tensors = crate::gguf::read_weights(&path, &config, &specs)?;
            return Ok(Model::from_weights(config, Weights { tensors, layout }));
        }
        let aliases = Aliases::new(&config);
        let files = TensorFiles::open_model(dir)?;
        let tensors = files.read(&specs, &aliases, config.architecture.class_name())?;
        let mut weights = Weights { tensors, layout };
        // Only linear layers of blocks compute with four bits.
        for index in 0..weights.tensors.len() {
            let is_module = weights.layout.modules.iter().any(|module| module.weight == index);
            if weights.tensors[index].values.is_quantized() && !is_module {
                weights.tensors[index].values = weights.dense(index).into_owned().into();
            }
        }
        Ok(Model::from_weights(config, weights))
    }

    /// Random weights: matrices normal with standard deviation `initializer_range`, norms of factor one,
    /// biases zero.
    pub fn init(config: ModelConfig, seed: u64) -> Model {
        let (specs, layout) = layout(&config);
        let tensors = specs
            .into_iter()
            .enumerate()
            .map(|(stream, spec)| {
                let rng = CounterRng::new(seed, INIT_STREAM).fork(stream as u64);
                let normal = |i: usize| (rng.normal_at(i as u64) * config.initializer_range) as f32;
                let values: Vec<f32> = match spec.shape.len() {
                    2 => (0..spec.len()).map(normal).collect(),
                    _ if spec.name.ends_with(".bias") => vec![0.0; spec.len()],
                    _ if config.norm_kind == NormKind::RmsPlusOne => vec![0.0; spec.len()],
                    _ => vec![1.0; spec.len()],
                };
                NamedTensor { name: spec.name, shape: spec.shape, values: Storage::Owned(values) }
            })
            .collect();
        Model::from_weights(config, Weights { tensors, layout })
    }

    pub(crate) fn from_weights(config: ModelConfig, weights: Weights<f32>) -> Model {
        let inner = Inner { config, weights, fingerprint: OnceLock::new() };
        Model { inner: Arc::new(inner), gradient_checkpointing: false }
    }

    /// A model of names and shapes without values, `nf4` as if its linear layers were in four bits: for
    /// what depends on nothing else.
    pub(crate) fn outline(config: &ModelConfig, nf4: bool) -> Model {
        let (specs, layout) = layout(config);
        let is_module = |index: usize| layout.modules.iter().any(|module| module.weight == index);
        let values = |index: usize| match nf4 && is_module(index) {
            true => Storage::Nf4(Arc::new(Nf4::empty())),
            false => Storage::Owned(Vec::new()),
        };
        let tensors = specs.into_iter().enumerate();
        let tensors = tensors
            .map(|(index, spec)| NamedTensor { name: spec.name, shape: spec.shape, values: values(index) })
            .collect();
        Model::from_weights(config.clone(), Weights { tensors, layout })
    }

    /// Whether training keeps the inputs of blocks alone and computes the rest again for the backward
    /// pass: a fraction of the memory, a third more time, the same bits. Off at first.
    pub fn set_gradient_checkpointing(&mut self, on: bool) {
        self.gradient_checkpointing = on;
    }

    pub(crate) fn gradient_checkpointing(&self) -> bool {
        self.gradient_checkpointing
    }

    /// The model with the linear layers of its blocks in NF4, scales in eight bits too if `double` is
    /// set: QLoRA's base. Embedding, head, norms and biases stay as they are, and so do layers that are
    /// quantized already.
    ///
    /// Errors: a weight that is not finite.
    pub fn quantize_nf4(&self, double: bool) -> Result<Model> {
        let mut model = self.clone();
        let modules = self.weights().layout.modules.clone();
        let weights = model.weights_mut();
        for module in &modules {
            let tensor = &mut weights.tensors[module.weight];
            if !tensor.values.is_quantized() {
                let values = tensor.values.as_slice();
                let matrix = match module.transposed {
                    false => Nf4::quantize(&tensor.name, values, double)?,
                    true => Nf4::quantize(&tensor.name, &transposed(values, module.out_size), double)?,
                };
                tensor.values = Storage::Nf4(Arc::new(matrix));
            }
        }
        Ok(model)
    }

    /// Whether a weight is in four bits.
    pub fn is_quantized(&self) -> bool {
        self.weights().tensors.iter().any(|tensor| tensor.values.is_quantized())
    }

    /// The model with all weights as f32; itself if they are.
    pub fn dequantized(&self) -> Model {
        let mut model = self.clone();
        if self.is_quantized() {
            let weights = model.weights_mut();
            for index in 0..weights.tensors.len() {
                weights.tensors[index].values = weights.dense(index).into_owned().into();
            }
        }
        model
    }

    /// Bytes of all weights in memory.
    pub fn n_bytes(&self) -> u64 {
        let bytes = |values: &Storage<f32>| match values {
            Storage::Nf4(matrix) => matrix.n_bytes(),
            values => 4 * values.len(),
        };
        self.weights().tensors.iter().map(|tensor| bytes(&tensor.values) as u64).sum()
    }

    /// Writes `model.safetensors`, then `config.json`, into `dir` (made if absent), each atomically.
    pub fn save(&self, dir: &Path, dtype: SaveDtype) -> Result<()> {
        if self.is_quantized() {
            let hint = "merge or dequantize it first".to_owned();
            return Err(Error::Quantized { what: "saved".to_owned(), hint });
        }
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        serialize(&dir.join("model.safetensors"), &self.inner.weights.tensors, dtype)?;
        let name = match dtype {
            SaveDtype::F32 => "float32",
            SaveDtype::Bf16 => "bfloat16",
            SaveDtype::F16 => "float16",
        };
        let mut config = self.inner.config.clone();
        // Older files say torch_dtype, newer ones dtype; keep the file's own word.
        let key = if config.raw.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        config.raw.insert(key.to_owned(), name.into());
        write_atomic(&dir.join("config.json"), config.to_json().as_bytes())
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.inner.config
    }

    /// Number of weights, a tied head counted once.
    pub fn n_parameters(&self) -> u64 {
        self.weights().tensors.iter().map(|tensor| tensor.values.len() as u64).sum()
    }

    /// `sha256:…` over the sorted names with their shapes and f32 values: the same weights have the
    /// same fingerprint however they were stored.
    pub fn fingerprint(&self) -> String {
        self.inner.fingerprint.get_or_init(|| fingerprint(self.weights())).clone()
    }

    /// Name of the first tensor that holds an infinity or NaN.
    pub fn non_finite_tensor(&self) -> Option<String> {
        let is_bad = |tensor: &&NamedTensor<f32>| tensor.values.as_slice().iter().any(|value| !value.is_finite());
        self.weights().tensors.iter().find(is_bad).map(|tensor| tensor.name.clone())
    }

    /// Paths of the modules that hold weights, such as `model.layers.0.self_attn.q_proj`.
    pub fn module_names(&self) -> Vec<String> {
        let names = self.weights().tensors.iter();
        names.filter_map(|tensor| tensor.name.strip_suffix(".weight").map(str::to_owned)).collect()
    }

    pub(crate) fn weights(&self) -> &Weights<f32> {
        &self.inner.weights
    }

    /// The weights for changing; copies them first if another clone shares them.
    pub(crate) fn weights_mut(&mut self) -> &mut Weights<f32> {
        let inner = Arc::make_mut(&mut self.inner);
        inner.fingerprint = OnceLock::new();
        &mut inner.weights
    }
}

/// `model.gguf`, unless there are safetensors.
fn gguf_file(dir: &Path) -> Option<std::path::PathBuf> {
    let path = dir.join("model.gguf");
    let has_safetensors =
        ["model.safetensors", "model.safetensors.index.json"].iter().any(|name| dir.join(name).exists());
    (path.exists() && !has_safetensors).then_some(path)
}

fn fingerprint(weights: &Weights<f32>) -> String {
    let mut order: Vec<usize> = (0..weights.tensors.len()).collect();
    order.sort_by(|&i, &j| weights.tensors[i].name.cmp(&weights.tensors[j].name));
    let mut hash = Sha256::new();
    for index in order {
        let tensor = &weights.tensors[index];
        // Lengths first, so that no two lists of tensors give the same bytes.
        hash.update((tensor.name.len() as u64).to_le_bytes());
        hash.update(tensor.name.as_bytes());
        hash.update((tensor.shape.len() as u64).to_le_bytes());
        for &size in &tensor.shape {
            hash.update((size as u64).to_le_bytes());
        }
        let mut bytes = Vec::with_capacity(4 * tensor.values.len());
        bytes.extend(weights.dense(index).iter().flat_map(|x| x.to_le_bytes()));
        hash.update(&bytes);
    }
    let digest = hash.finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
