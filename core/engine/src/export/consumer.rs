//! What the programs that load an export cannot load, said before anything is written.

use std::path::Path;

use serde_json::{Map, Value};

use crate::Error;

/// A program that will load the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumer {
    Vllm,
    Peft,
    Transformers,
    LlamaCpp,
}

/// vLLM's largest `max_lora_rank` (vllm/config/lora.py).
const VLLM_MAX_RANK: u64 = 512;

impl Consumer {
    const ALL: [Consumer; 4] = [Consumer::Vllm, Consumer::Peft, Consumer::Transformers, Consumer::LlamaCpp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Consumer::Vllm => "vllm",
            Consumer::Peft => "peft",
            Consumer::Transformers => "transformers",
            Consumer::LlamaCpp => "llama.cpp",
        }
    }

    pub(super) fn parse(word: &str) -> Result<Consumer, Error> {
        let found = Consumer::ALL.into_iter().find(|consumer| consumer.name() == word);
        let names = Consumer::ALL.map(Consumer::name).join(", ");
        found.ok_or_else(|| Error::invalid("for", word, &format!("one of {names}")).at("/for"))
    }

    /// The format it is usually given.
    pub(super) fn format(self, is_adapter: bool) -> &'static str {
        match self {
            Consumer::Vllm | Consumer::Peft if is_adapter => "peft",
            Consumer::LlamaCpp => "gguf",
            _ => "safetensors",
        }
    }

    pub(super) fn check_format(self, format: &str) -> Result<(), Error> {
        let loads: &[&str] = match self {
            Consumer::Vllm => &["safetensors", "peft"],
            Consumer::Peft => &["peft"],
            Consumer::Transformers => &["safetensors", "peft"],
            Consumer::LlamaCpp => &["gguf"],
        };
        if loads.contains(&format) {
            return Ok(());
        }
        let what = format!("what {} loads", self.name());
        Err(Error::invalid(&what, format, &loads.join(" or ")).at("/to"))
    }

    /// Refuse an adapter that it cannot load, by all the reasons.
    pub(crate) fn check_adapter(self, dir: &Path) -> Result<(), Error> {
        let path = dir.join("adapter_config.json");
        let text = crate::files::read_text(&path, crate::files::MAX_JSON_BYTES)?;
        let config: Map<String, Value> = serde_json::from_str(&text).map_err(|error| Error::Stored {
            path: path.clone(),
            expected: "PEFT's adapter configuration",
            found: error.to_string(),
        })?;
        let reasons = match self {
            Consumer::Vllm => vllm_reasons(&config),
            _ => Vec::new(),
        };
        if reasons.is_empty() {
            return Ok(());
        }
        let what = format!("an adapter for {}", self.name());
        let expected = "a plain LoRA; `--to safetensors` merges any adapter into the weights";
        Err(Error::invalid(&what, reasons.join("; "), expected).at("/for"))
    }
}

/// What `vllm/lora/peft_helper.py` refuses, and what it reads without applying it.
fn vllm_reasons(config: &Map<String, Value>) -> Vec<String> {
    let get = |key: &str| config.get(key).unwrap_or(&Value::Null);
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
        _ => true,
    };
    let mut reasons = Vec::new();
    if get("peft_type") != "LORA" {
        reasons.push(format!("it is {}, vLLM loads LORA only", get("peft_type")));
    }
    if is_set(get("use_dora")) {
        reasons.push("it is DoRA (use_dora)".to_owned());
    }
    if is_set(get("modules_to_save")) {
        reasons.push(format!("it replaces whole modules (modules_to_save = {})", get("modules_to_save")));
    }
    if is_set(get("bias")) && get("bias") != "none" {
        reasons.push(format!("it trains biases (bias = {})", get("bias")));
    }
    let ranks = get("rank_pattern").as_object().into_iter().flat_map(|map| map.values());
    let rank = ranks.chain([get("r")]).filter_map(Value::as_u64).max().unwrap_or(0);
    if rank > VLLM_MAX_RANK {
        reasons.push(format!("its rank is {rank}, vLLM's largest is {VLLM_MAX_RANK}"));
    }
    for key in ["rank_pattern", "alpha_pattern"] {
        if is_set(get(key)) {
            reasons.push(format!("vLLM scales every module alike, the adapter does not ({key})"));
        }
    }
    for key in ["layer_replication", "trainable_token_indices", "target_parameters"] {
        if is_set(get(key)) {
            reasons.push(format!("vLLM does not know {key}"));
        }
    }
    reasons
}

#[cfg(test)]
mod tests;
