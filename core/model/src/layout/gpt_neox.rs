//! GPT-NeoX: `gpt_neox.layers.N.…`, q, k and v joined head by head.

use super::{AttentionLayout, BlockLayout, Builder, Layout, MlpLayout, QkvLayout};
use crate::ModelConfig;
use crate::weights::TensorSpec;

pub(super) fn layout(config: &ModelConfig) -> (Vec<TensorSpec>, Layout) {
    let mut list = Builder::default();
    let hidden = config.hidden_size;
    let embedding = list.tensor("gpt_neox.embed_in.weight", &[config.vocab_size, hidden]);
    let blocks = (0..config.n_layers).map(|layer| block(&mut list, config, layer)).collect();
    let final_norm = list.layer_norm("gpt_neox.final_layer_norm", hidden);
    let head = match config.tie_word_embeddings {
        true => embedding,
        false => list.tensor("embed_out.weight", &[config.vocab_size, hidden]),
    };
    let modules = list.modules;
    (list.specs, Layout { embedding, position_embedding: None, modules, blocks, final_norm, head })
}

fn block(list: &mut Builder, config: &ModelConfig, layer: usize) -> BlockLayout {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let path = |name: &str| format!("gpt_neox.layers.{layer}.{name}");
    let first = list.modules.len();
    let input_norm = list.layer_norm(&path("input_layernorm"), hidden);
    let qkv = list.linear(layer, path("attention.query_key_value"), 3 * hidden, hidden, config.qkv_bias);
    let attention = AttentionLayout {
        qkv: QkvLayout::JoinedByHead(qkv),
        q_norm: None,
        k_norm: None,
        o: list.linear(layer, path("attention.dense"), hidden, hidden, config.o_bias),
    };
    let mlp_norm = list.layer_norm(&path("post_attention_layernorm"), hidden);
    let mlp = MlpLayout::Plain {
        up: list.linear(layer, path("mlp.dense_h_to_4h"), inner, hidden, config.mlp_bias),
        down: list.linear(layer, path("mlp.dense_4h_to_h"), hidden, inner, config.mlp_bias),
    };
    let modules = first..list.modules.len();
    BlockLayout { modules, input_norm, attention, attention_out_norm: None, mlp_norm, mlp, mlp_out_norm: None }
}
