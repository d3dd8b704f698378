//! For every field of every fixture's config.json: either a changed value that must miss the oracle, or
//! the reason why no number depends on it. A field in neither list fails the test, so that a key that
//! the decoder ignores cannot hide.

use serde_json::{Value, json};

/// How far beyond the tolerance a mutated configuration must be.
pub(super) const LEAST_MISS: f64 = 20.0;

/// A field and another value for it.
pub(super) struct Mutation {
    /// Dots lead into objects.
    pub(super) field: &'static str,
    pub(super) value: Value,
}

/// Fields that no logit, gradient or greedy token depends on.
pub(super) const INERT: [(&str, &str); 27] = [
    ("architectures", "a name; model_type decides"),
    ("attention_dropout", "zero, anything else is refused"),
    ("attn_pdrop", "training of all weights only; not applied, see the config module"),
    ("bos_token_id", "read by prompts"),
    ("classifier_dropout", "of another head"),
    ("dtype", "the files say what they hold"),
    ("embd_pdrop", "as attn_pdrop; Phi-3's is refused unless zero"),
    ("eos_token_id", "ends answers"),
    ("hidden_dropout", "zero, anything else is refused"),
    ("initializer_range", "of new weights"),
    ("is_decoder", "read by nothing in the reference"),
    ("max_position_embeddings", "a limit, except where a scaling factor follows from it"),
    ("max_window_layers", "layer_types goes before it"),
    ("num_key_value_groups", "follows from the heads"),
    ("output_router_logits", "false, anything else is refused"),
    ("pad_token_id", "batches are not padded"),
    ("pretraining_tp", "how the reference cuts products"),
    ("reorder_and_upcast_attn", "everything is f32"),
    ("add_cross_attention", "false, anything else is refused"),
    ("resid_pdrop", "as embd_pdrop"),
    ("router_aux_loss_coef", "of the router's own loss, which output_router_logits asks for"),
    ("use_bidirectional_attention", "false, anything else is refused"),
    ("use_cache", "how, not what"),
    ("no_rope_layer_interval", "no_rope_layers goes before it"),
    ("_sliding_window_pattern", "layer_types goes before it"),
    ("scale_attn_weights", "mutated by name"),
    ("summary", "of another head"),
];

/// Fields whose names alone say that they belong to another head.
pub(super) fn is_inert(field: &str) -> bool {
    field.starts_with("summary_") || INERT.iter().any(|&(name, _)| name == field)
}

/// Changed values of every field that `config` has, except inert ones.
pub(super) fn mutations(config: &Value) -> Vec<Mutation> {
    let mut list = Vec::new();
    let model_type = config["model_type"].as_str().unwrap_or_default();
    let mut push = |field: &'static str, value: Value| list.push(Mutation { field, value });
    for (field, value) in shapes() {
        push(field, value);
    }
    for (field, value) in constants(model_type, is_stretched(config)) {
        push(field, value);
    }
    let n_layers = config["num_hidden_layers"].as_u64().unwrap_or(0) as usize;
    for field in ["layer_types", "no_rope_layers"] {
        if let Some(types) = config[field].as_array() {
            let flip = |x: &Value| match x {
                Value::String(kind) if kind == "full_attention" => json!("sliding_attention"),
                Value::String(_) => json!("full_attention"),
                number => json!(1 - number.as_u64().unwrap_or(0)),
            };
            let mut flipped = types.clone();
            flipped[n_layers - 1] = flip(&flipped[n_layers - 1]);
            push(field, Value::Array(flipped));
        }
    }
    for (field, one, other) in alternatives() {
        let current = config.pointer(&pointer(field));
        list.push(Mutation { field, value: if current == Some(&one) { other } else { one } });
    }
    list.retain(|mutation| is_effective(config, mutation));
    list
}

/// Fields that shapes of tensors follow from: the files' tensors no longer fit, or their heads do.
fn shapes() -> Vec<(&'static str, Value)> {
    vec![
        ("vocab_size", json!(33)),
        ("hidden_size", json!(32)),
        ("n_embd", json!(32)),
        ("intermediate_size", json!(32)),
        ("n_inner", json!(32)),
        ("moe_intermediate_size", json!(16)),
        ("num_hidden_layers", json!(1)),
        ("n_layer", json!(1)),
        ("num_attention_heads", json!(8)),
        ("n_head", json!(2)),
        ("num_local_experts", json!(5)),
        ("n_positions", json!(48)),
        ("tie_word_embeddings", json!("flip")),
        ("attention_bias", json!("flip")),
        ("mlp_bias", json!("flip")),
        ("model_type", json!("another")),
    ]
}

/// Fields whose fixtures have either of two values.
fn alternatives() -> [(&'static str, Value, Value); 7] {
    [
        ("head_dim", json!(8), json!(4)),
        ("num_key_value_heads", json!(2), json!(1)),
        ("decoder_sparse_step", json!(1), json!(2)),
        ("rope_parameters.partial_rotary_factor", json!(0.25), json!(0.5)),
        ("rope_parameters.rope_type", json!("default"), json!("linear")),
        ("rope_parameters.full_attention.rope_type", json!("default"), json!("linear")),
        ("rope_parameters.sliding_attention.rope_type", json!("default"), json!("linear")),
    ]
}

/// The field's place in the object.
pub(super) fn pointer(field: &str) -> String {
    format!("/{}", field.replace('.', "/"))
}

/// Fields that numbers follow from.
fn constants(model_type: &str, is_stretched: bool) -> Vec<(&'static str, Value)> {
    let mut list = vec![
        ("rms_norm_eps", json!(0.01)),
        ("layer_norm_eps", json!(0.01)),
        ("layer_norm_epsilon", json!(0.01)),
        ("hidden_act", json!("quick_gelu")),
        ("hidden_activation", json!("gelu")),
        ("activation_function", json!("relu")),
        ("sliding_window", json!(7)),
        ("use_sliding_window", json!("flip")),
        ("query_pre_attn_scalar", json!(7)),
        ("attn_logit_softcapping", json!(2.1)),
        ("final_logit_softcapping", json!(5.2)),
        ("use_parallel_residual", json!("flip")),
        ("scale_attn_by_inverse_layer_idx", json!("flip")),
        ("scale_attn_weights", json!("flip")),
        ("num_experts_per_tok", json!(1)),
        ("norm_topk_prob", json!("flip")),
        ("mlp_only_layers", json!([1])),
        ("rope_parameters.rope_theta", json!(51.0)),
        ("rope_parameters.factor", json!(3.0)),
        ("rope_parameters.low_freq_factor", json!(1.5)),
        ("rope_parameters.high_freq_factor", json!(3.0)),
        ("rope_parameters.beta_fast", json!(0.5)),
        ("rope_parameters.beta_slow", json!(0.1)),
        ("rope_parameters.short_factor", json!([1.0, 1.1, 1.3])),
        ("rope_parameters.long_factor", json!([1.5, 2.0, 2.6])),
        ("rope_parameters.full_attention.rope_theta", json!(900.0)),
        ("rope_parameters.full_attention.factor", json!(3.0)),
        ("rope_parameters.sliding_attention.rope_theta", json!(90.0)),
        ("original_max_position_embeddings", json!(48)),
    ];
    // In Phi-3's files the key outside goes before the one inside.
    if model_type != "phi3" {
        list.push(("rope_parameters.original_max_position_embeddings", json!(24)));
    }
    // Elsewhere no scaling follows from it.
    if is_stretched {
        list.push(("max_position_embeddings", json!(128)));
    }
    list
}

/// Whether the configuration has the field with another value, and uses it.
fn is_effective(config: &Value, mutation: &Mutation) -> bool {
    let current = config.pointer(&pointer(mutation.field));
    current.is_some_and(|current| *current != mutation.value) && !is_idle(config, mutation.field)
}

/// Whether frequencies or their factor follow from the longest context.
fn is_stretched(config: &Value) -> bool {
    let kind = config.pointer("/rope_parameters/rope_type").and_then(Value::as_str);
    matches!(kind, Some("longrope" | "dynamic"))
}

/// Fields that do nothing beside the values of others, or that are given twice.
pub(super) fn is_idle(config: &Value, field: &str) -> bool {
    let has_window = !config["sliding_window"].is_null() && config["use_sliding_window"] != false;
    let is_longrope = config.pointer("/rope_parameters/rope_type") == Some(&json!("longrope"));
    let is_stretched = is_stretched(config);
    let is_phi3 = config["model_type"] == "phi3";
    match field {
        // A window from null on is another matter than one that is switched off.
        "sliding_window" => !has_window && !is_phi3,
        "layer_types" | "use_sliding_window" => !has_window,
        "max_position_embeddings" => !is_stretched,
        "original_max_position_embeddings" => !is_longrope,
        "rope_parameters.original_max_position_embeddings" => is_phi3,
        "intermediate_size" => {
            config["model_type"] == "qwen3_moe"
                && config["decoder_sparse_step"] == 1
                && config["mlp_only_layers"].as_array().is_none_or(Vec::is_empty)
        }
        _ => false,
    }
}

/// The configuration with the mutation.
pub(super) fn apply(config: &Value, mutation: &Mutation) -> Value {
    let mut config = config.clone();
    let slot = config.pointer_mut(&pointer(mutation.field)).expect("the field exists");
    *slot = match (&mutation.value, &*slot) {
        (Value::String(word), Value::Bool(flag)) if word == "flip" => json!(!flag),
        (Value::String(word), _) if word == "flip" => json!(true),
        (value, _) => value.clone(),
    };
    // A linear type needs a factor beside it.
    if let Some(path) = mutation.field.strip_suffix(".rope_type").filter(|_| mutation.value == "linear") {
        config.pointer_mut(&pointer(path)).expect("the field's object")["factor"] = json!(2.0);
    }
    config
}
