//! A Llama of two layers with random weights and a tokenizer of single bytes.

use std::path::Path;

use luthier_model::{Model, ModelConfig, SaveDtype};
use serde_json::{Map, Value, json};

/// Write a model directory as `transformers` would.
pub fn write(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let config = ModelConfig::from_json(&config().to_string()).unwrap();
    Model::init(config, 1).save(dir, SaveDtype::F32).unwrap();
    let put = |file: &str, value: Value| std::fs::write(dir.join(file), value.to_string()).unwrap();
    put("config.json", self::config());
    put("tokenizer.json", tokenizer());
    put("tokenizer_config.json", json!({ "bos_token": "<s>", "eos_token": "</s>", "chat_template": CHAT }));
    put("generation_config.json", json!({ "bos_token_id": 256, "eos_token_id": 257 }));
}

const CHAT: &str = "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}[A]{{ m.content }}</s>\
                    {% else %}[U]{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}[A]{% endif %}";

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 258, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 8, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 2048,
        "tie_word_embeddings": true, "bos_token_id": 256, "eos_token_id": 257, "hidden_act": "silu",
        "attention_bias": false, "mlp_bias": false, "torch_dtype": "float32"
    })
}

fn tokenizer() -> Value {
    let vocab: Map<String, Value> =
        byte_alphabet().into_iter().enumerate().map(|(id, c)| (c.to_string(), json!(id))).collect();
    let special = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [special(256, "<s>"), special(257, "</s>")],
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "post_processor": { "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [256], "tokens": ["<s>"] } } },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": [] }
    })
}

/// GPT-2's visible character for each byte: printable Latin-1 as it is, the others from U+0100 on.
fn byte_alphabet() -> Vec<char> {
    let printable = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut next = 256;
    (0..=255u8)
        .map(|byte| match printable(byte) {
            true => char::from(byte),
            false => {
                next += 1;
                char::from_u32(next - 1).unwrap()
            }
        })
        .collect()
}
