//! Llama and its relatives: RMSNorm, gated feed-forward layers or experts, `model.layers.N.self_attn.…`.

use super::{AttentionLayout, BlockLayout, Builder, GatedLayout, Layout, MlpLayout, QkvLayout};
use crate::weights::TensorSpec;
use crate::{Architecture, ModelConfig};

pub(super) fn layout(config: &ModelConfig) -> (Vec<TensorSpec>, Layout) {
    let mut list = Builder::default();
    let hidden = config.hidden_size;
    let embedding = list.tensor("model.embed_tokens.weight", &[config.vocab_size, hidden]);
    let blocks = (0..config.n_layers).map(|layer| block(&mut list, config, layer)).collect();
    let final_norm = list.rms_norm("model.norm", hidden);
    let head = match config.tie_word_embeddings {
        true => embedding,
        false => list.tensor("lm_head.weight", &[config.vocab_size, hidden]),
    };
    let modules = list.modules;
    (list.specs, Layout { embedding, position_embedding: None, modules, blocks, final_norm, head })
}

fn block(list: &mut Builder, config: &ModelConfig, layer: usize) -> BlockLayout {
    let hidden = config.hidden_size;
    let path = |name: &str| format!("model.layers.{layer}.{name}");
    let first = list.modules.len();
    // Gemma has norms around both halves, and calls the one before the second otherwise.
    let is_gemma = matches!(config.architecture, Architecture::Gemma2 | Architecture::Gemma3);
    let input_norm = list.rms_norm(&path("input_layernorm"), hidden);
    let attention = attention(list, config, layer);
    let attention_out_norm = is_gemma.then(|| list.rms_norm(&path("post_attention_layernorm"), hidden));
    let mlp_norm = match is_gemma {
        true => list.rms_norm(&path("pre_feedforward_layernorm"), hidden),
        false => list.rms_norm(&path("post_attention_layernorm"), hidden),
    };
    let mlp = match config.is_sparse(layer) {
        true => experts(list, config, layer),
        false => dense(list, config, layer),
    };
    let mlp_out_norm = is_gemma.then(|| list.rms_norm(&path("post_feedforward_layernorm"), hidden));
    let modules = first..list.modules.len();
    BlockLayout { modules, input_norm, attention, attention_out_norm, mlp_norm, mlp, mlp_out_norm }
}

fn attention(list: &mut Builder, config: &ModelConfig, layer: usize) -> AttentionLayout {
    let path = |name: &str| format!("model.layers.{layer}.self_attn.{name}");
    let (hidden, q, kv, bias) = (config.hidden_size, config.q_size(), config.kv_size(), config.qkv_bias);
    let qkv = match config.architecture {
        Architecture::Phi3 => QkvLayout::Joined(list.linear(layer, path("qkv_proj"), q + 2 * kv, hidden, bias)),
        _ => QkvLayout::Separate([
            list.linear(layer, path("q_proj"), q, hidden, bias),
            list.linear(layer, path("k_proj"), kv, hidden, bias),
            list.linear(layer, path("v_proj"), kv, hidden, bias),
        ]),
    };
    let has_head_norms =
        matches!(config.architecture, Architecture::Qwen3 | Architecture::Qwen3Moe | Architecture::Gemma3);
    let mut norm = |name| has_head_norms.then(|| list.rms_norm(&path(name), config.head_dim));
    let (q_norm, k_norm) = (norm("q_norm"), norm("k_norm"));
    AttentionLayout { qkv, q_norm, k_norm, o: list.linear(layer, path("o_proj"), hidden, q, config.o_bias) }
}

fn dense(list: &mut Builder, config: &ModelConfig, layer: usize) -> MlpLayout {
    let path = |name: &str| format!("model.layers.{layer}.mlp.{name}");
    let (hidden, inner, bias) = (config.hidden_size, config.intermediate_size, config.mlp_bias);
    if config.architecture == Architecture::Phi3 {
        return MlpLayout::GatedJoined {
            gate_up: list.linear(layer, path("gate_up_proj"), 2 * inner, hidden, bias),
            down: list.linear(layer, path("down_proj"), hidden, inner, bias),
        };
    }
    MlpLayout::Gated(GatedLayout {
        gate: list.linear(layer, path("gate_proj"), inner, hidden, bias),
        up: list.linear(layer, path("up_proj"), inner, hidden, bias),
        down: list.linear(layer, path("down_proj"), hidden, inner, bias),
    })
}

fn experts(list: &mut Builder, config: &ModelConfig, layer: usize) -> MlpLayout {
    let path = |name: &str| format!("model.layers.{layer}.mlp.{name}");
    let hidden = config.hidden_size;
    let (n_experts, inner) = config.moe.as_ref().map_or((0, 0), |moe| (moe.n_experts, moe.intermediate_size));
    let router = list.tensor(path("gate.weight"), &[n_experts, hidden]);
    let expert = |e: usize| GatedLayout {
        gate: list.linear(layer, path(&format!("experts.{e}.gate_proj")), inner, hidden, false),
        up: list.linear(layer, path(&format!("experts.{e}.up_proj")), inner, hidden, false),
        down: list.linear(layer, path(&format!("experts.{e}.down_proj")), hidden, inner, false),
    };
    MlpLayout::Experts { router, experts: (0..n_experts).map(expert).collect() }
}
