//! Which tensors an architecture has, and which linear modules: the decoder, adapters and files all
//! read this list; nothing else knows a tensor's name.
//!
//! The order of the tensors is also that of `TrainableModel::parameters` in full training: embedding;
//! per block the input norm, then q, k, v, o (each weight, then bias if it has one), the norm before
//! the feed-forward layer, gate, up, down; the final norm; the head unless it is tied.

mod gpt2;
mod gpt_neox;
mod llama;
#[cfg(test)]
mod tests;

use crate::weights::TensorSpec;
use crate::{Architecture, ModelConfig};
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
        Module::path_is_named(&self.path, target)
    }

    /// The same for any path.
    pub(crate) fn path_is_named(path: &str, target: &str) -> bool {
        path.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Tensors of a normalization.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormLayout {
    pub(crate) weight: usize,
    /// Of a LayerNorm.
    pub(crate) bias: Option<usize>,
}

/// Where q, k and v come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum QkvLayout {
    /// A module each.
    Separate([ModuleId; 3]),
    /// One module whose rows are `[q | k | v]`.
    Joined(ModuleId),
    /// One module whose rows are, head by head, `[q | k | v]`.
    JoinedByHead(ModuleId),
}

/// Modules of an attention layer.
#[derive(Debug, Clone)]
pub(crate) struct AttentionLayout {
    pub(crate) qkv: QkvLayout,
    /// On each head of q.
    pub(crate) q_norm: Option<NormLayout>,
    /// On each head of k.
    pub(crate) k_norm: Option<NormLayout>,
    pub(crate) o: ModuleId,
}

/// Modules of a gated feed-forward layer: `down(f(gate(x)) * up(x))`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatedLayout {
    pub(crate) gate: ModuleId,
    pub(crate) up: ModuleId,
    pub(crate) down: ModuleId,
}

/// Modules of a feed-forward layer.
#[derive(Debug, Clone)]
pub(crate) enum MlpLayout {
    Gated(GatedLayout),
    /// One module whose rows are `[gate | up]`.
    GatedJoined {
        gate_up: ModuleId,
        down: ModuleId,
    },
    /// `down(f(up(x)))`.
    Plain {
        up: ModuleId,
        down: ModuleId,
    },
    /// Several gated layers of which a router, a tensor `[experts, hidden]`, chooses some per token.
    Experts {
        router: usize,
        experts: Vec<GatedLayout>,
    },
}

/// Tensors and modules of one block.
#[derive(Debug, Clone)]
pub(crate) struct BlockLayout {
    /// All of the block's modules.
    pub(crate) modules: Range<ModuleId>,
    /// Before attention.
    pub(crate) input_norm: NormLayout,
    pub(crate) attention: AttentionLayout,
    /// On the output of attention, before it is added.
    pub(crate) attention_out_norm: Option<NormLayout>,
    /// Before the feed-forward layer.
    pub(crate) mlp_norm: NormLayout,
    pub(crate) mlp: MlpLayout,
    /// On the output of the feed-forward layer, before it is added.
    pub(crate) mlp_out_norm: Option<NormLayout>,
}

impl BlockLayout {
    /// Number of experts; zero of a dense layer.
    pub(crate) fn n_experts(&self) -> usize {
        match &self.mlp {
            MlpLayout::Experts { experts, .. } => experts.len(),
            _ => 0,
        }
    }
}

/// Indices of all tensors, and all modules in the order of the computation.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) embedding: usize,
    /// Learned positions, `[positions, hidden]`.
    pub(crate) position_embedding: Option<usize>,
    pub(crate) modules: Vec<Module>,
    pub(crate) blocks: Vec<BlockLayout>,
    pub(crate) final_norm: NormLayout,
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
    match config.architecture {
        Architecture::Gpt2 => gpt2::layout(config),
        Architecture::GptNeoX => gpt_neox::layout(config),
        _ => llama::layout(config),
    }
}

/// Another name that a checkpoint may have for what we call `name`, and tensors that hold no weight.
pub(crate) struct Aliases {
    /// What every name of the file starts with less than ours.
    prefix: &'static str,
    /// The head's name if it is tied, so that a copy of it is redundant.
    tied_head: Option<&'static str>,
    /// Whether the file may be of a multimodal model around ours.
    allows_images: bool,
}

/// What the names of the text part of a multimodal model start with, and what that is in ours: as files
/// have it, and as the model of transformers 5 does.
const TEXT_PARTS: [(&str, &str); 2] = [("language_model.", ""), ("model.language_model.", "model.")];

/// What the names of the other parts start with.
const IMAGE_PARTS: [&str; 4] =
    ["vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector."];

impl Aliases {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let (prefix, head) = match config.architecture {
            // Files from before the head had a name of its own.
            Architecture::Gpt2 => ("transformer.", "lm_head.weight"),
            Architecture::GptNeoX => ("gpt_neox.", "embed_out.weight"),
            _ => ("model.", "lm_head.weight"),
        };
        Aliases {
            prefix,
            tied_head: config.tie_word_embeddings.then_some(head),
            allows_images: config.architecture == Architecture::Gemma3,
        }
    }

    /// For files whose names are exactly ours.
    pub(crate) fn none() -> Self {
        Aliases { prefix: "", tied_head: None, allows_images: false }
    }

    /// Our name of the file's `name`, given all of our names.
    pub(crate) fn resolve(&self, name: &str, is_ours: impl Fn(&str) -> bool) -> String {
        if is_ours(name) {
            return name.to_owned();
        }
        let text_parts = TEXT_PARTS.iter().filter(|_| self.allows_images);
        let text = text_parts.filter_map(|(theirs, ours)| Some(format!("{ours}{}", name.strip_prefix(theirs)?)));
        let mut candidates = text.chain([format!("{}{name}", self.prefix)]);
        candidates.find(|candidate| is_ours(candidate)).unwrap_or_else(|| name.to_owned())
    }

    /// Whether `name` is a tied head that was saved all the same, a part that sees images, or a buffer of
    /// old checkpoints: causal masks and rotary frequencies.
    pub(crate) fn is_redundant(&self, name: &str) -> bool {
        let buffers =
            [".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias"];
        let is_buffer = || buffers.iter().any(|buffer| name.ends_with(buffer));
        let is_of_images = || self.allows_images && IMAGE_PARTS.iter().any(|part| name.starts_with(part));
        let text = if self.allows_images { name.strip_prefix("language_model.").unwrap_or(name) } else { name };
        !self.prefix.is_empty() && (self.tied_head == Some(text) || is_of_images() || is_buffer())
    }
}

/// Tensors and modules so far.
#[derive(Default)]
struct Builder {
    specs: Vec<TensorSpec>,
    modules: Vec<Module>,
}

impl Builder {
    fn tensor(&mut self, name: impl Into<String>, shape: &[usize]) -> usize {
        self.specs.push(TensorSpec { name: name.into(), shape: shape.to_vec() });
        self.specs.len() - 1
    }

    fn rms_norm(&mut self, path: &str, width: usize) -> NormLayout {
        NormLayout { weight: self.tensor(format!("{path}.weight"), &[width]), bias: None }
    }

    fn layer_norm(&mut self, path: &str, width: usize) -> NormLayout {
        let weight = self.tensor(format!("{path}.weight"), &[width]);
        NormLayout { weight, bias: Some(self.tensor(format!("{path}.bias"), &[width])) }
    }

    /// A module of `layer` that maps `in_size` to `out_size` values.
    fn linear(&mut self, layer: usize, path: String, out_size: usize, in_size: usize, has_bias: bool) -> ModuleId {
        self.module(Shape { layer, out_size, in_size, has_bias, transposed: false }, path)
    }

    /// A module's weight, then its bias.
    fn module(&mut self, shape: Shape, path: String) -> ModuleId {
        let Shape { layer, out_size, in_size, has_bias, transposed } = shape;
        let stored = if transposed { [in_size, out_size] } else { [out_size, in_size] };
        let weight = self.tensor(format!("{path}.weight"), &stored);
        let bias = has_bias.then(|| self.tensor(format!("{path}.bias"), &[out_size]));
        self.modules.push(Module { path, layer, out_size, in_size, weight, bias, transposed });
        self.modules.len() - 1
    }
}

/// A module without its tensors.
struct Shape {
    layer: usize,
    out_size: usize,
    in_size: usize,
    has_bias: bool,
    transposed: bool,
}
