//! Writing `config.json`.

use super::{Activation, Architecture, ModelConfig, RopeScaling};
use serde_json::{Value, json};

pub(super) fn to_json(config: &ModelConfig) -> String {
    let mut object = config.raw.clone();
    let mut set = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    set("architectures", json!([config.architecture.class_name()]));
    set("model_type", json!(config.architecture.model_type()));
    set("vocab_size", json!(config.vocab_size));
    for (key, ids) in [("bos_token_id", &config.bos_token_ids), ("eos_token_id", &config.eos_token_ids)] {
        match ids.as_slice() {
            [] => {}
            [id] => set(key, json!(id)),
            ids => set(key, json!(ids)),
        }
    }
    set("tie_word_embeddings", json!(config.tie_word_embeddings));
    set("initializer_range", json!(config.initializer_range));
    // The other families are only ever read, so that their object is complete as it stands.
    if matches!(config.architecture, Architecture::Llama | Architecture::Mistral | Architecture::Qwen2) {
        llama_like(config, &mut set);
    }
    let mut text = serde_json::to_string_pretty(&Value::Object(object)).unwrap_or_default();
    text.push('\n');
    text
}

fn llama_like(config: &ModelConfig, set: &mut impl FnMut(&str, Value)) {
    set("hidden_size", json!(config.hidden_size));
    set("intermediate_size", json!(config.intermediate_size));
    set("num_hidden_layers", json!(config.n_layers));
    set("num_attention_heads", json!(config.n_heads));
    set("num_key_value_heads", json!(config.n_kv_heads));
    set("head_dim", json!(config.head_dim));
    set("rms_norm_eps", json!(config.norm_eps));
    set("max_position_embeddings", json!(config.max_seq_len));
    if config.activation == Activation::Silu {
        set("hidden_act", json!("silu"));
    }
    if config.architecture == Architecture::Llama {
        set("attention_bias", json!(config.qkv_bias));
        set("mlp_bias", json!(config.mlp_bias));
    }
    // A file with rope_parameters keeps it: two sources of one value could contradict each other.
    if !config.raw.contains_key("rope_parameters") {
        set("rope_theta", json!(config.rope.theta));
        if let Some(scaling) = rope_scaling(&config.rope.scaling) {
            set("rope_scaling", scaling);
        }
    }
}

fn rope_scaling(scaling: &RopeScaling) -> Option<Value> {
    match scaling {
        RopeScaling::Linear { factor } => Some(json!({ "rope_type": "linear", "factor": factor })),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
            Some(json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": *original_max_position_embeddings as u64,
            }))
        }
        RopeScaling::Dynamic { factor, .. } => Some(json!({ "rope_type": "dynamic", "factor": factor })),
        // None needs no word; the others stand in the object that was read.
        RopeScaling::None | RopeScaling::Yarn { .. } | RopeScaling::LongRope { .. } => None,
    }
}
