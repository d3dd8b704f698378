//! Configurations of models that see images too, of which the text part is used: Gemma 3.

use super::keys::Keys;
use crate::Result;
use serde_json::{Map, Value, json};

/// transformers' defaults of Gemma 3's text model, which the files of its multimodal models leave out.
const DEFAULTS: [(&str, u64); 3] = [("vocab_size", 262_208), ("num_attention_heads", 8), ("num_key_value_heads", 4)];

/// Keys beside `text_config` that hold for the text too, where it does not say otherwise.
const SHARED: [&str; 8] = [
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "dtype",
    "torch_dtype",
    "tie_word_embeddings",
    "transformers_version",
    "quantization_config",
];

/// The object of a text model: of a multimodal one its `text_config`, any other as it is.
pub(super) fn text_part(raw: Map<String, Value>) -> Result<Map<String, Value>> {
    if raw.get("model_type") != Some(&json!("gemma3")) {
        return Ok(raw);
    }
    // Without one there is no such model, as the model type's error says.
    let Some(text) = Keys::new(&raw).inner("text_config")? else { return Ok(raw) };
    let mut text = text.object.clone();
    for key in SHARED {
        if let Some(value) = raw.get(key).filter(|_| !text.contains_key(key)) {
            text.insert(key.to_owned(), value.clone());
        }
    }
    for (key, value) in DEFAULTS {
        text.entry(key).or_insert_with(|| json!(value));
    }
    text.insert("model_type".to_owned(), json!("gemma3_text"));
    text.insert("architectures".to_owned(), json!(["Gemma3ForCausalLM"]));
    Ok(text)
}
