//! The list of a decoder's tensors and where each part of a block finds its own.
//!
//! Order (also the order of `TrainableModel::parameters` in full training): embedding; per block the
//! input norm, then q, k, v, o (each weight, then bias if it has one), the post-attention norm, gate,
//! up, down; the final norm; the head unless it is tied.

use crate::ModelConfig;
use crate::real::Real;

/// Number of projections in a block.
pub(crate) const N_PROJECTIONS: usize = 7;

/// A linear layer of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the field's names")]
pub enum Projection {
    Q,
    K,
    V,
    O,
    Gate,
    Up,
    Down,
}

impl Projection {
    /// All of them, in the order of the tensor list.
    pub const ALL: [Projection; N_PROJECTIONS] = [
        Projection::Q,
        Projection::K,
        Projection::V,
        Projection::O,
        Projection::Gate,
        Projection::Up,
        Projection::Down,
    ];

    /// The module's own name, such as `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Projection::Q => "q_proj",
            Projection::K => "k_proj",
            Projection::V => "v_proj",
            Projection::O => "o_proj",
            Projection::Gate => "gate_proj",
            Projection::Up => "up_proj",
            Projection::Down => "down_proj",
        }
    }

    /// The module's path, such as `model.layers.0.self_attn.q_proj`.
    pub fn path(self, layer: usize) -> String {
        let parent = match self {
            Projection::Q | Projection::K | Projection::V | Projection::O => "self_attn",
            Projection::Gate | Projection::Up | Projection::Down => "mlp",
        };
        format!("model.layers.{layer}.{parent}.{}", self.name())
    }

    /// `(out, in)` of the weight.
    pub(crate) fn shape(self, config: &ModelConfig) -> (usize, usize) {
        match self {
            Projection::Q => (config.q_size(), config.hidden_size),
            Projection::K | Projection::V => (config.kv_size(), config.hidden_size),
            Projection::O => (config.hidden_size, config.q_size()),
            Projection::Gate | Projection::Up => (config.intermediate_size, config.hidden_size),
            Projection::Down => (config.hidden_size, config.intermediate_size),
        }
    }

    fn has_bias(self, config: &ModelConfig) -> bool {
        match self {
            Projection::Q | Projection::K | Projection::V => config.qkv_bias,
            Projection::O => config.o_bias,
            Projection::Gate | Projection::Up | Projection::Down => config.mlp_bias,
        }
    }
}

/// A named tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedTensor<T> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<T>,
}

/// Name and shape of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorSpec {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

impl TensorSpec {
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Indices of one projection's tensors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinearLayout {
    pub(crate) out_size: usize,
    pub(crate) in_size: usize,
    pub(crate) weight: usize,
    pub(crate) bias: Option<usize>,
}

/// Indices of one block's tensors.
#[derive(Debug, Clone)]
pub(crate) struct BlockLayout {
    pub(crate) input_norm: usize,
    pub(crate) post_norm: usize,
    pub(crate) linears: [LinearLayout; N_PROJECTIONS],
}

/// Indices of all tensors.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) embedding: usize,
    pub(crate) blocks: Vec<BlockLayout>,
    pub(crate) final_norm: usize,
    /// The embedding's index if the head is tied.
    pub(crate) head: usize,
}

/// The tensors that `config` asks for, and where they are in the list.
pub(crate) fn layout(config: &ModelConfig) -> (Vec<TensorSpec>, Layout) {
    let mut specs = Vec::new();
    let mut push = |name: String, shape: &[usize]| {
        specs.push(TensorSpec { name, shape: shape.to_vec() });
        specs.len() - 1
    };
    let hidden = config.hidden_size;
    let embedding = push("model.embed_tokens.weight".to_owned(), &[config.vocab_size, hidden]);
    let mut blocks = Vec::with_capacity(config.n_layers);
    for layer in 0..config.n_layers {
        let prefix = format!("model.layers.{layer}");
        let input_norm = push(format!("{prefix}.input_layernorm.weight"), &[hidden]);
        let mut post_norm = 0;
        let linears = Projection::ALL.map(|projection| {
            if projection == Projection::Gate {
                post_norm = push(format!("{prefix}.post_attention_layernorm.weight"), &[hidden]);
            }
            let (out_size, in_size) = projection.shape(config);
            let path = projection.path(layer);
            let weight = push(format!("{path}.weight"), &[out_size, in_size]);
            let bias = projection.has_bias(config).then(|| push(format!("{path}.bias"), &[out_size]));
            LinearLayout { out_size, in_size, weight, bias }
        });
        blocks.push(BlockLayout { input_norm, post_norm, linears });
    }
    let final_norm = push("model.norm.weight".to_owned(), &[hidden]);
    let head = match config.tie_word_embeddings {
        true => embedding,
        false => push("lm_head.weight".to_owned(), &[config.vocab_size, hidden]),
    };
    (specs, Layout { embedding, blocks, final_norm, head })
}

/// All tensors of a decoder.
#[derive(Debug, Clone)]
pub(crate) struct Weights<T> {
    pub(crate) tensors: Vec<NamedTensor<T>>,
    pub(crate) layout: Layout,
}

impl<T: Real> Weights<T> {
    pub(crate) fn values(&self, index: usize) -> &[T] {
        &self.tensors[index].values
    }

    /// The same weights in another element type.
    #[cfg(test)]
    pub(crate) fn cast<U: Real>(&self) -> Weights<U> {
        Weights { tensors: self.tensors.iter().map(NamedTensor::cast).collect(), layout: self.layout.clone() }
    }
}

impl<T: Real> NamedTensor<T> {
    #[cfg(test)]
    pub(crate) fn cast<U: Real>(&self) -> NamedTensor<U> {
        NamedTensor {
            name: self.name.clone(),
            shape: self.shape.clone(),
            values: self.values.iter().map(|x| U::from_f64(x.to_f64())).collect(),
        }
    }
}
