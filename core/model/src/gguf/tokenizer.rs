//! A `tokenizer.json` as GGUF metadata.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::metadata::Entries;
use super::pretokenize;
use super::value::Value;
use crate::{Error, Result};

/// `llama_token_type` of llama.h.
pub(super) mod kind {
    pub(crate) const NORMAL: i64 = 1;
    pub(crate) const UNKNOWN: i64 = 2;
    pub(crate) const CONTROL: i64 = 3;
    pub(crate) const USER_DEFINED: i64 = 4;
    pub(crate) const UNUSED: i64 = 5;
    pub(crate) const BYTE: i64 = 6;
}

/// What a model's directory says of its tokens.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// `tokenizer.json`.
    pub tokenizer: Json,
    /// `tokenizer_config.json`, or null.
    pub config: Json,
    /// The chat template's text.
    pub chat_template: Option<String>,
    /// Beginning of a sequence.
    pub bos_id: Option<u32>,
    /// End of a sequence, or of a turn.
    pub eos_id: Option<u32>,
}

fn refuse<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Export { format: "GGUF", what: what.into() })
}

/// The whole `tokenizer.json`: what GGUF's specification has for readers that know it.
pub(super) const JSON_KEY: &str = "tokenizer.huggingface.json";

/// The tokenizer's part of the metadata, for a model with `vocab_size` rows, and a warning if
/// llama.cpp has no equal of the tokenizer: then it gets none rather than a wrong one.
///
/// # Errors
/// [`Error::Export`] if the tokenizer does not belong to the model.
pub(super) fn of_tokens(tokens: &Tokens, vocab_size: usize) -> Result<(Entries, Option<String>)> {
    let ids = tokens.tokenizer["model"]["vocab"].as_object().into_iter().flatten();
    if let Some((text, id)) = ids.into_iter().find(|(_, id)| id.as_u64().is_some_and(|id| id >= vocab_size as u64)) {
        return refuse(format!("token {text:?} has id {id}, the model has {vocab_size} rows"));
    }
    let json = (JSON_KEY.to_owned(), Value::Text(tokens.tokenizer.to_string()));
    match listed(tokens, vocab_size) {
        Ok(mut entries) => {
            special(tokens, &mut entries);
            entries.push(json);
            Ok((entries, None))
        }
        Err(Error::Export { what, .. }) => {
            let mut entries = vec![("tokenizer.ggml.model".to_owned(), Value::Text("none".into()))];
            special(tokens, &mut entries);
            entries.push(json);
            Ok((entries, Some(format!("llama.cpp takes token ids only, no text: {what}"))))
        }
        Err(error) => Err(error),
    }
}

/// The tokens one by one, as llama.cpp needs them.
fn listed(tokens: &Tokens, vocab_size: usize) -> Result<Entries> {
    let model = &tokens.tokenizer["model"];
    if model["type"] != "BPE" {
        return refuse(format!("the tokenizer is {}, written is BPE", model["type"]));
    }
    let Some(vocab) = model["vocab"].as_object() else { return refuse("the tokenizer has no vocabulary") };
    let pairs = merges(model)?;
    let mut texts: Vec<Option<String>> = vec![None; vocab_size];
    let mut kinds = vec![kind::NORMAL; vocab_size];
    for (text, id) in vocab {
        match id.as_u64().and_then(|id| texts.get_mut(usize::try_from(id).ok()?)) {
            Some(slot) => *slot = Some(text.clone()),
            None => return refuse(format!("token {text:?} has id {id}, the model has {vocab_size} rows")),
        }
    }
    for added in tokens.tokenizer["added_tokens"].as_array().into_iter().flatten() {
        let id = added["id"].as_u64().and_then(|id| usize::try_from(id).ok()).filter(|id| *id < vocab_size);
        let (Some(id), Some(text)) = (id, added["content"].as_str()) else { continue };
        texts[id] = Some(text.to_owned());
        kinds[id] = if added["special"] == true { kind::CONTROL } else { kind::USER_DEFINED };
    }
    for (id, slot) in texts.iter_mut().enumerate() {
        if slot.is_none() {
            // Rows that pad the matrix to a round size.
            *slot = Some(format!("[PAD{id}]"));
            kinds[id] = kind::UNUSED;
        }
    }
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    let mut entries = match is_sentencepiece(&tokens.tokenizer) {
        true => sentencepiece(&texts, &mut kinds, &pairs, model["unk_token"].as_str())?,
        false => byte_level(&tokens.tokenizer, &pairs)?,
    };
    let put = |entries: &mut Entries, key: &str, value: Value| entries.push((format!("tokenizer.ggml.{key}"), value));
    put(&mut entries, "tokens", Value::Texts(texts));
    put(&mut entries, "token_type", Value::Integers(kinds));
    Ok(entries)
}

/// Ids with a role, what is added around a text, and the chat template.
fn special(tokens: &Tokens, entries: &mut Entries) {
    let mut put = |key: &str, value: Value| entries.push((format!("tokenizer.{key}"), value));
    let id = |id: u32| Value::Unsigned(u64::from(id));
    if let Some(bos) = tokens.bos_id {
        put("ggml.bos_token_id", id(bos));
    }
    if let Some(eos) = tokens.eos_id {
        put("ggml.eos_token_id", id(eos));
    }
    let text_of = |key: &str| match &tokens.config[key] {
        Json::String(text) => Some(text.clone()),
        other => other["content"].as_str().map(str::to_owned),
    };
    let added = tokens.tokenizer["added_tokens"].as_array();
    let id_of = |text: &str| {
        let found = added?.iter().find(|token| token["content"] == text)?;
        u32::try_from(found["id"].as_u64()?).ok()
    };
    for (key, role) in [("padding_token_id", "pad_token"), ("unknown_token_id", "unk_token")] {
        if let Some(found) = text_of(role).as_deref().and_then(id_of) {
            put(&format!("ggml.{key}"), id(found));
        }
    }
    put("ggml.add_bos_token", Value::Bool(adds_bos(tokens)));
    put("ggml.add_eos_token", Value::Bool(false));
    if let Some(template) = &tokens.chat_template {
        put("chat_template", Value::Text(template.clone()));
    }
}

/// Whether `tokenizer.json` puts BOS in front of a text.
fn adds_bos(tokens: &Tokens) -> bool {
    let post = &tokens.tokenizer["post_processor"];
    let steps = match post["type"].as_str() {
        Some("Sequence") => post["processors"].as_array().cloned().unwrap_or_default(),
        _ => vec![post.clone()],
    };
    let template = steps.iter().find(|step| step["type"] == "TemplateProcessing");
    let first = template.and_then(|step| step["single"].get(0));
    first.is_some_and(|part| part.get("SpecialToken").is_some())
}

/// Pairs in the order of their ranks; files write them as `"a b"` or `["a", "b"]`.
fn merges(model: &Json) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for merge in model["merges"].as_array().into_iter().flatten() {
        let pair = match merge {
            Json::String(text) => text.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())),
            other => other[0].as_str().zip(other[1].as_str()).map(|(a, b)| (a.to_owned(), b.to_owned())),
        };
        match pair {
            Some(pair) => pairs.push(pair),
            None => return refuse(format!("the tokenizer's merge {merge} is no pair")),
        }
    }
    Ok(pairs)
}

fn byte_level(tokenizer: &Json, pairs: &[(String, String)]) -> Result<Entries> {
    if tokenizer["model"]["byte_fallback"] == true {
        return refuse("the tokenizer mixes bytes as characters with bytes as tokens");
    }
    if !tokenizer["normalizer"].is_null() && tokenizer["normalizer"]["type"] != "NFC" {
        return refuse(format!("llama.cpp has no equal of the tokenizer's normalizer {}", tokenizer["normalizer"]));
    }
    let Some(way) = pretokenize::name_of(&tokenizer["pre_tokenizer"]) else {
        return refuse(
            "llama.cpp has no equal of the tokenizer's pre-tokenizer (known: those of GPT-2, SmolLM, Llama 3, Qwen2 \
             and Mistral's Tekken): it would cut the same text into other tokens",
        );
    };
    if let Some((a, b)) = pairs.iter().find(|(a, b)| a.contains(' ') || b.contains(' ')) {
        return refuse(format!("the merge of {a:?} and {b:?} holds a blank, which the format cannot say"));
    }
    let merges = pairs.iter().map(|(a, b)| format!("{a} {b}")).collect();
    Ok(vec![
        ("tokenizer.ggml.model".to_owned(), Value::Text("gpt2".into())),
        ("tokenizer.ggml.pre".to_owned(), Value::Text(way.into())),
        ("tokenizer.ggml.merges".to_owned(), Value::Texts(merges)),
    ])
}

/// Llama 2's kind: blanks as `▁`, unknown characters as byte tokens, no cutting.
fn is_sentencepiece(tokenizer: &Json) -> bool {
    tokenizer["model"]["byte_fallback"] == true && !tokenizer.to_string().contains("\"ByteLevel\"")
}

/// SentencePiece merges the pair whose result has the best score, so a score is the negative rank of
/// the first merge that makes the token.
fn sentencepiece(
    texts: &[String],
    kinds: &mut [i64],
    pairs: &[(String, String)],
    unknown: Option<&str>,
) -> Result<Entries> {
    let mut ranks: HashMap<String, usize> = HashMap::new();
    for (rank, (a, b)) in pairs.iter().enumerate() {
        ranks.entry(format!("{a}{b}")).or_insert(rank);
    }
    let bytes: HashSet<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
    for (text, kind) in texts.iter().zip(kinds.iter_mut()) {
        if bytes.contains(text) {
            *kind = kind::BYTE;
        } else if Some(text.as_str()) == unknown {
            *kind = kind::UNKNOWN;
        }
    }
    let least = -(pairs.len() as f32);
    let scores = texts.iter().map(|text| ranks.get(text).map_or(least, |rank| -(*rank as f32))).collect();
    Ok(vec![
        ("tokenizer.ggml.model".to_owned(), Value::Text("llama".into())),
        ("tokenizer.ggml.pre".to_owned(), Value::Text("default".into())),
        ("tokenizer.ggml.scores".to_owned(), Value::Floats(scores)),
    ])
}
