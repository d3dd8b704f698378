//! GPT-2: `transformer.h.N.…`, weights stored `[in, out]`.

use super::{AttentionLayout, BlockLayout, Builder, Layout, MlpLayout, QkvLayout, Shape};
use crate::ModelConfig;
use crate::weights::TensorSpec;

pub(super) fn layout(config: &ModelConfig) -> (Vec<TensorSpec>, Layout) {
    let mut list = Builder::default();
    let hidden = config.hidden_size;
    let embedding = list.tensor("transformer.wte.weight", &[config.vocab_size, hidden]);
    let positions = list.tensor("transformer.wpe.weight", &[config.max_seq_len, hidden]);
    let blocks = (0..config.n_layers).map(|layer| block(&mut list, config, layer)).collect();
    let final_norm = list.layer_norm("transformer.ln_f", hidden);
    let head = match config.tie_word_embeddings {
        true => embedding,
        false => list.tensor("lm_head.weight", &[config.vocab_size, hidden]),
    };
    let modules = list.modules;
    (list.specs, Layout { embedding, position_embedding: Some(positions), modules, blocks, final_norm, head })
}

fn block(list: &mut Builder, config: &ModelConfig, layer: usize) -> BlockLayout {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let path = |name: &str| format!("transformer.h.{layer}.{name}");
    let first = list.modules.len();
    let conv = |list: &mut Builder, name: &str, out_size: usize, in_size: usize| {
        list.module(Shape { layer, out_size, in_size, has_bias: true, transposed: true }, path(name))
    };
    let input_norm = list.layer_norm(&path("ln_1"), hidden);
    let attention = AttentionLayout {
        qkv: QkvLayout::Joined(conv(list, "attn.c_attn", 3 * hidden, hidden)),
        q_norm: None,
        k_norm: None,
        o: conv(list, "attn.c_proj", hidden, hidden),
    };
    let mlp_norm = list.layer_norm(&path("ln_2"), hidden);
    let mlp =
        MlpLayout::Plain { up: conv(list, "mlp.c_fc", inner, hidden), down: conv(list, "mlp.c_proj", hidden, inner) };
    let modules = first..list.modules.len();
    BlockLayout { modules, input_norm, attention, attention_out_norm: None, mlp_norm, mlp, mlp_out_norm: None }
}
