//! Published spellings of each family's keys, old and new.

use super::*;
use crate::{Activation, LayerRope};

fn parse(config: Value) -> Result<ModelConfig> {
    ModelConfig::from_json(&config.to_string())
}

fn like(model_type: &str, changes: Value) -> Value {
    let mut object = base();
    object["model_type"] = json!(model_type);
    object["num_key_value_heads"] = json!(2);
    object.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    object
}

#[test]
fn gemma3_reads_its_two_bases_in_both_spellings() {
    let old = parse(like(
        "gemma3_text",
        json!({"head_dim": 8, "rope_theta": 1e6, "rope_local_base_freq": 1e4, "sliding_window_pattern": 2,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 512}),
    ))
    .unwrap();
    let new = parse(like(
        "gemma3_text",
        json!({"head_dim": 8, "sliding_window": 512,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}),
    ))
    .unwrap();
    assert_eq!((&old.rope, &old.local_rope), (&new.rope, &new.local_rope));
    assert_eq!(old.rope.scaling, RopeScaling::Linear { factor: 8.0 });
    assert_eq!(old.local_rope.as_ref().unwrap().theta, 1e4);
    assert_eq!(old.layer_rope, [LayerRope::Local, LayerRope::Global, LayerRope::Local]);
    assert_eq!((&old.layer_rope, &old.sliding_window), (&new.layer_rope, &new.sliding_window));
    assert_eq!(old.sliding_window, [Some(512), None, Some(512)]);
    let scores = parse(like("gemma3_text", json!({"head_dim": 8, "attn_logit_softcapping": 50.0})));
    assert!(matches!(scores, Err(Error::Unsupported { feature, .. }) if feature == "attn_logit_softcapping"));
}

#[test]
fn gemma2_has_its_own_defaults() {
    let config = parse(like("gemma2", json!({}))).unwrap();
    assert_eq!((config.head_dim, config.activation), (256, Activation::GeluTanh));
    assert_eq!((config.attention_softcap, config.final_softcap), (Some(50.0), Some(30.0)));
    assert_eq!(config.attention_scale, [1.0 / 16.0; 3]);
    assert_eq!(config.sliding_window, [Some(4096), None, Some(4096)]);
    let none = parse(like("gemma2", json!({"attn_logit_softcapping": null, "sliding_window": null}))).unwrap();
    assert_eq!((none.attention_softcap, none.sliding_window[0]), (None, None));
}

#[test]
fn phi3_reads_longrope_by_its_old_names() {
    let (short, long) = (json!([1.0, 1.5]), json!([2.0, 4.0]));
    for name in ["su", "yarn", "longrope"] {
        let scaling = json!({"type": name, "short_factor": short, "long_factor": long});
        let config = parse(like(
            "phi3",
            json!({"rope_scaling": scaling, "partial_rotary_factor": 0.5, "max_position_embeddings": 131072}),
        ))
        .unwrap();
        assert_eq!(config.rope.dim, 4);
        // transformers' original context, and the paper's attention factor.
        assert_eq!([4096, 4097].map(|length| config.rope.variant(length)), [0, 1]);
        assert!((config.rope.attention_factor() - (1.0f64 + 32f64.ln() / 4096f64.ln()).sqrt()).abs() < 1e-12);
        let ratio = |i: usize| config.rope.inverse_frequencies()[i] / config.rope.inverse_frequencies_at(4097)[i];
        assert!((ratio(0) - 2.0).abs() < 1e-12 && (ratio(1) - 4.0 / 1.5).abs() < 1e-12);
        assert!(config.rotates_differently(4096, 4097) && !config.rotates_differently(10, 4096));
    }
    let wrong = json!({"rope_scaling": {"type": "su", "short_factor": [1.0], "long_factor": long}});
    assert!(
        matches!(parse(like("phi3", wrong)), Err(Error::InvalidConfig { key, .. }) if key.ends_with("short_factor"))
    );
}

#[test]
fn neox_reads_its_rotary_share_in_both_spellings() {
    let old = parse(like("gpt_neox", json!({"rotary_pct": 0.5, "rotary_emb_base": 5000}))).unwrap();
    let parameters = json!({"rope_type": "default", "rope_theta": 5000, "partial_rotary_factor": 0.5});
    let new = parse(like("gpt_neox", json!({"rope_parameters": parameters}))).unwrap();
    assert_eq!(old.rope, new.rope);
    assert_eq!((old.rope.dim, old.rope.theta), (4, 5000.0));
    assert_eq!(parse(like("gpt_neox", json!({}))).unwrap().rope.dim, 2, "a quarter by default");
    assert!(old.parallel_residual && old.qkv_bias && old.n_kv_heads == 4);
}

#[test]
fn smollm3_leaves_out_rotation_by_list_or_interval() {
    let none = |config: ModelConfig| config.layer_rope.iter().map(|&rope| rope == LayerRope::None).collect::<Vec<_>>();
    assert_eq!(none(parse(like("smollm3", json!({"no_rope_layer_interval": 2}))).unwrap()), [false, true, false]);
    assert_eq!(none(parse(like("smollm3", json!({"no_rope_layers": [0, 1, 1]}))).unwrap()), [true, false, false]);
    let theta = parse(like("smollm3", json!({}))).unwrap().rope.theta;
    assert_eq!(theta, 2e6);
}

#[test]
fn experts_are_placed_by_step_and_list() {
    let config =
        parse(like("qwen3_moe", json!({"num_experts": 8, "decoder_sparse_step": 2, "mlp_only_layers": [1]}))).unwrap();
    assert_eq!(config.moe.as_ref().unwrap().layers, [false; 3]);
    let config = parse(like("qwen3_moe", json!({"num_local_experts": 16}))).unwrap();
    assert_eq!((config.moe.as_ref().unwrap().n_experts, config.is_sparse(0)), (16, true));
    let few = parse(like("qwen3_moe", json!({"num_experts": 4})));
    assert!(matches!(few, Err(Error::InvalidConfig { key, .. }) if key == "num_experts_per_tok"));
}

#[test]
fn gpt2_scales_scores_as_it_is_told() {
    let gpt2 = |changes: Value| {
        let mut object = json!({"model_type": "gpt2", "vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 4});
        object.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        parse(object).unwrap()
    };
    assert_eq!(gpt2(json!({})).attention_scale, [0.5, 0.5]);
    assert_eq!(gpt2(json!({"scale_attn_by_inverse_layer_idx": true})).attention_scale, [0.5, 0.25]);
    assert_eq!(gpt2(json!({"scale_attn_weights": false})).attention_scale, [1.0, 1.0]);
    let config = gpt2(json!({}));
    assert_eq!((config.intermediate_size, config.max_seq_len, config.tie_word_embeddings), (64, 1024, true));
}

#[test]
fn what_a_family_cannot_do_is_refused_by_name() {
    let cases = [
        (like("gemma2", json!({"use_bidirectional_attention": true})), "use_bidirectional_attention"),
        (like("qwen3_moe", json!({"output_router_logits": true})), "output_router_logits"),
        (like("gpt_neox", json!({"hidden_dropout": 0.1})), "hidden_dropout"),
        (like("phi3", json!({"resid_pdrop": 0.1})), "resid_pdrop"),
        (like("llama", json!({"rope_scaling": {"type": "xpos", "factor": 2.0}})), "rope_scaling.rope_type"),
        (like("gemma3", json!({})), "model_type"),
    ];
    for (config, key) in cases {
        match parse(config).unwrap_err() {
            Error::Unsupported { feature, .. } => assert_eq!(feature, key),
            other => panic!("{key}: {other}"),
        }
    }
}
