//! Which tensors an architecture has, and which linear modules: the decoder, adapters and files all
//! read this list; nothing else knows a tensor's name.
//!
//! The order of the tensors is also that of `TrainableModel::parameters` in full training: embedding;
//! per block the input norm, then q, k, v, o (each weight, then bias if it has one), the norm before
//! the feed-forward layer, gate, up, down; the final norm; the head unless it is tied.

#[cfg(test)]
mod tests;

use crate::ModelConfig;
use crate::weights::TensorSpec;
use std::ops::Range;

/// Position of a [`Module`] in [`Layout::modules`].
pub(crate) type ModuleId = usize;

/// A linear layer inside a block: what an adapter can be put on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    /// Path in the checkpoint, which is also PEFT's: `model.layers.0.self_attn.q_proj`.
    pub(crate) path: String,
    /// The block it belongs to.
    pub(crate) layer: usize,
    pub(crate) out_size: usize,
    pub(crate) in_size: usize,
    /// Tensor index of the weight.
    pub(crate) weight: usize,
    /// Tensor index of the bias.
    pub(crate) bias: Option<usize>,
    /// Whether the checkpoint stores `[in, out]` (GPT-2's Conv1D) instead of `[out, in]`.
    pub(crate) transposed: bool,
}

impl Module {
    /// The last component of the path, such as `q_proj`.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// PEFT's rule for `target_modules`: the whole path, or its end after a dot.
    pub(crate) fn is_named(&self, target: &str) -> bool {
        self.path.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Modules of an attention layer.
#[derive(Debug, Clone)]
pub(crate) struct AttentionLayout {
    pub(crate) q: ModuleId,
    pub(crate) k: ModuleId,
    pub(crate) v: ModuleId,
    pub(crate) o: ModuleId,
}

/// Modules of a feed-forward layer.
#[derive(Debug, Clone)]
pub(crate) struct MlpLayout {
    pub(crate) gate: ModuleId,
    pub(crate) up: ModuleId,
    pub(crate) down: ModuleId,
}

/// Tensors and modules of one block.
#[derive(Debug, Clone)]
pub(crate) struct BlockLayout {
    /// All of the block's modules.
    pub(crate) modules: Range<ModuleId>,
    /// Tensor index of the norm before attention.
    pub(crate) input_norm: usize,
    pub(crate) attention: AttentionLayout,
    /// Tensor index of the norm before the feed-forward layer.
    pub(crate) post_norm: usize,
    pub(crate) mlp: MlpLayout,
}

/// Indices of all tensors, and all modules in the order of the computation.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) embedding: usize,
    pub(crate) modules: Vec<Module>,
    pub(crate) blocks: Vec<BlockLayout>,
    pub(crate) final_norm: usize,
    /// The embedding's index if the head is tied.
    pub(crate) head: usize,
}

impl Layout {
    /// The last components of the modules' paths, each once, in the model's order.
    pub(crate) fn module_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for module in &self.modules {
            if !names.contains(&module.name()) {
                names.push(module.name());
            }
        }
        names
    }
}

/// The tensors that `config` asks for, and where they are in the list.
pub(crate) fn layout(config: &ModelConfig) -> (Vec<TensorSpec>, Layout) {
    let mut list = Builder::default();
    let hidden = config.hidden_size;
    let embedding = list.tensor("model.embed_tokens.weight", &[config.vocab_size, hidden]);
    let blocks = (0..config.n_layers).map(|layer| block(&mut list, config, layer)).collect();
    let final_norm = list.tensor("model.norm.weight", &[hidden]);
    let head = match config.tie_word_embeddings {
        true => embedding,
        false => list.tensor("lm_head.weight", &[config.vocab_size, hidden]),
    };
    (list.specs, Layout { embedding, modules: list.modules, blocks, final_norm, head })
}

fn block(list: &mut Builder, config: &ModelConfig, layer: usize) -> BlockLayout {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let path = |name: &str| format!("model.layers.{layer}.{name}");
    let first = list.modules.len();
    let linear = |list: &mut Builder, name: &str, out_size, in_size, has_bias| {
        list.linear(layer, path(name), [out_size, in_size], has_bias, false)
    };
    let input_norm = list.tensor(&path("input_layernorm.weight"), &[hidden]);
    let attention = AttentionLayout {
        q: linear(list, "self_attn.q_proj", config.q_size(), hidden, config.qkv_bias),
        k: linear(list, "self_attn.k_proj", config.kv_size(), hidden, config.qkv_bias),
        v: linear(list, "self_attn.v_proj", config.kv_size(), hidden, config.qkv_bias),
        o: linear(list, "self_attn.o_proj", hidden, config.q_size(), config.o_bias),
    };
    let post_norm = list.tensor(&path("post_attention_layernorm.weight"), &[hidden]);
    let mlp = MlpLayout {
        gate: linear(list, "mlp.gate_proj", inner, hidden, config.mlp_bias),
        up: linear(list, "mlp.up_proj", inner, hidden, config.mlp_bias),
        down: linear(list, "mlp.down_proj", hidden, inner, config.mlp_bias),
    };
    BlockLayout { modules: first..list.modules.len(), input_norm, attention, post_norm, mlp }
}

/// Tensors and modules so far.
#[derive(Default)]
struct Builder {
    specs: Vec<TensorSpec>,
    modules: Vec<Module>,
}

impl Builder {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> usize {
        self.specs.push(TensorSpec { name: name.to_owned(), shape: shape.to_vec() });
        self.specs.len() - 1
    }

    /// A module of shape `[out, in]`: its weight, then its bias.
    fn linear(
        &mut self,
        layer: usize,
        path: String,
        [out_size, in_size]: [usize; 2],
        has_bias: bool,
        transposed: bool,
    ) -> ModuleId {
        let shape = if transposed { [in_size, out_size] } else { [out_size, in_size] };
        let weight = self.tensor(&format!("{path}.weight"), &shape);
        let bias = has_bias.then(|| self.tensor(&format!("{path}.bias"), &[out_size]));
        self.modules.push(Module { path, layer, out_size, in_size, weight, bias, transposed });
        self.modules.len() - 1
    }
}
