//! What is read, what is defaulted, what is refused.

mod families;

use super::*;
use crate::Error;
use serde_json::json;

fn base() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 100, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 3, "num_attention_heads": 4
    })
}

fn with(changes: Value) -> Result<ModelConfig> {
    let mut object = base();
    for (key, value) in changes.as_object().unwrap() {
        object[key] = value.clone();
    }
    ModelConfig::from_json(&object.to_string())
}

#[test]
fn defaults_are_those_of_transformers() {
    let config = with(json!({})).unwrap();
    assert_eq!((config.n_kv_heads, config.head_dim, config.max_seq_len), (4, 8, 2048));
    assert_eq!((config.norm_eps, config.rope.theta), (1e-6, 10_000.0));
    assert!(!config.tie_word_embeddings && !config.qkv_bias && !config.mlp_bias);
    assert_eq!(config.sliding_window, [None, None, None]);
}

#[test]
fn both_spellings_of_rope_are_read() {
    let scaling = json!({"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let mut old = scaling.clone();
    old["type"] = json!("llama3");
    let mut new = scaling;
    (new["rope_type"], new["rope_theta"]) = (json!("llama3"), json!(5e5));
    let old = with(json!({"rope_theta": 5e5, "rope_scaling": old})).unwrap();
    let new = with(json!({"rope_parameters": new})).unwrap();
    assert_eq!(old.rope, new.rope);
    assert!(matches!(new.rope.scaling, RopeScaling::Llama3 { factor: 8.0, .. }));
    let linear = with(json!({"rope_scaling": {"type": "linear", "factor": 2.0}})).unwrap();
    assert_eq!(linear.rope.inverse_frequencies()[0], 0.5);
}

#[test]
fn windows_follow_the_architecture() {
    let mistral = json!({"model_type": "mistral", "sliding_window": 7, "num_key_value_heads": 2});
    assert_eq!(with(mistral).unwrap().sliding_window, [Some(7); 3]);
    let absent = json!({"model_type": "mistral", "num_key_value_heads": 2});
    assert_eq!(with(absent.clone()).unwrap().sliding_window, [Some(4096); 3]);
    let mut null = absent;
    null["sliding_window"] = Value::Null;
    assert_eq!(with(null).unwrap().sliding_window, [None; 3]);
    let qwen2 = |extra: Value| {
        let mut object =
            json!({"model_type": "qwen2", "num_key_value_heads": 4, "sliding_window": 7, "max_window_layers": 1});
        object.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        with(object).unwrap().sliding_window
    };
    assert_eq!(qwen2(json!({})), [None; 3]);
    assert_eq!(qwen2(json!({"use_sliding_window": true})), [None, Some(7), Some(7)]);
    let types =
        json!({"use_sliding_window": true, "layer_types": ["sliding_attention", "full_attention", "full_attention"]});
    assert_eq!(qwen2(types), [Some(7), None, None]);
}

#[test]
fn what_is_not_implemented_is_refused_by_name() {
    let cases = [
        (json!({"model_type": "mamba"}), "model_type"),
        (json!({"hidden_act": "mish"}), "hidden_act"),
        (json!({"rope_scaling": {"rope_type": "ntk", "factor": 4.0}}), "rope_scaling.rope_type"),
        (json!({"rope_parameters": {"rope_type": "xpos", "factor": 4.0}}), "rope_parameters.rope_type"),
        (json!({"quantization_config": {"quant_method": "gptq"}}), "quantization_config.quant_method"),
        (
            json!({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": true}}),
            "quantization_config.load_in_4bit",
        ),
        (
            json!({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}}),
            "quantization_config.bnb_4bit_quant_type",
        ),
        (json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor"),
    ];
    for (changes, key) in cases {
        match with(changes).unwrap_err() {
            Error::Unsupported { feature, .. } => assert_eq!(feature, key),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn contradictions_are_named() {
    let cases = [
        (json!({"num_key_value_heads": 3}), "num_key_value_heads"),
        (json!({"hidden_size": 30}), "hidden_size"),
        (json!({"head_dim": 7}), "head_dim"),
        (json!({"vocab_size": -4}), "vocab_size"),
        (json!({"num_hidden_layers": 4_000_000_000u64}), "num_hidden_layers"),
        (json!({"num_hidden_layers": null}), "num_hidden_layers"),
        (json!({"rms_norm_eps": "x"}), "rms_norm_eps"),
        (json!({"eos_token_id": "x"}), "eos_token_id"),
        (json!({"rope_scaling": {"rope_type": "linear"}}), "rope_scaling.factor"),
    ];
    for (changes, name) in cases {
        match with(changes).unwrap_err() {
            Error::InvalidConfig { key, .. } => assert_eq!(key, name),
            other => panic!("{other}"),
        }
    }
    assert!(matches!(ModelConfig::from_json("[]"), Err(Error::Json { .. })));
    assert!(matches!(ModelConfig::from_json("{"), Err(Error::Json { .. })));
}

#[test]
fn saving_keeps_unknown_keys_and_reads_back_equal() {
    let config = with(json!({"my_key": {"x": 1}, "eos_token_id": [1, 2], "attention_bias": true})).unwrap();
    let text = config.to_json();
    assert!(text.contains("my_key"));
    let mut again = ModelConfig::from_json(&text).unwrap();
    assert_eq!(again.eos_token_ids, [1, 2]);
    again.raw = config.raw.clone();
    assert_eq!(again, config);

    let mut made = with(json!({"rope_theta": 5e5, "bos_token_id": 1})).unwrap();
    made.raw.clear();
    let mut again = ModelConfig::from_json(&made.to_json()).unwrap();
    again.raw.clear();
    assert_eq!(again, made);
}
