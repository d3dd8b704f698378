//! A GGUF file as a model: its weights as f32, and the small files that a model directory has.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::metadata::to_config;
use super::names::{permuted_heads, to_gguf, unpair_rows};
use super::pretokenize;
use super::read::Header;
use super::tokenizer::{JSON_KEY, kind};
use super::value::Value;
use crate::io::write_atomic;
use crate::weights::{NamedTensor, TensorSpec};
use crate::{Error, ModelConfig, Result};

/// Tensors of a file that follow from its metadata.
const DERIVED: [&str; 1] = ["rope_freqs.weight"];

/// The tensors of `specs`, dequantized, in transformers' names and order of rows.
///
/// # Errors
/// Missing, unexpected and misshapen tensors by name; a damaged file.
pub(crate) fn read_weights(path: &Path, config: &ModelConfig, specs: &[TensorSpec]) -> Result<Vec<NamedTensor<f32>>> {
    let header = Header::read(path)?;
    let architecture = header.metadata.get("general.architecture").and_then(Value::as_str).unwrap_or_default();
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut wanted: HashMap<String, &TensorSpec> = HashMap::new();
    for spec in specs {
        let (name, _) = to_gguf(&spec.name).ok_or_else(|| missing(path, spec))?;
        wanted.insert(name, spec);
    }
    if let Some(name) =
        header.tensors.keys().find(|name| !wanted.contains_key(*name) && !DERIVED.contains(&name.as_str()))
    {
        let architecture = config.architecture.class_name().to_owned();
        return Err(Error::UnexpectedTensor { path: path.to_path_buf(), tensor: name.clone(), architecture });
    }
    let mut tensors = Vec::with_capacity(specs.len());
    for spec in specs {
        let (name, _) = to_gguf(&spec.name).unwrap_or_default();
        let entry = header.tensors.get(&name).ok_or_else(|| missing(path, spec))?;
        if entry.shape != spec.shape {
            return Err(Error::WrongShape {
                path: path.to_path_buf(),
                tensor: name,
                expected: spec.shape.clone(),
                found: entry.shape.clone(),
            });
        }
        let mut values = header.values(&mut file, &name)?;
        if let Some(heads) = permuted_heads(architecture, &spec.name, config.n_heads, config.n_kv_heads) {
            values = unpair_rows(&values, spec.shape[0], heads);
        }
        tensors.push(NamedTensor { name: spec.name.clone(), shape: spec.shape.clone(), values: values.into() });
    }
    Ok(tensors)
}

fn missing(path: &Path, spec: &TensorSpec) -> Error {
    let tensor = to_gguf(&spec.name).map_or_else(|| spec.name.clone(), |(name, _)| name);
    Error::MissingTensor { path: path.to_path_buf(), tensor, shape: spec.shape.clone() }
}

/// Write `config.json`, and, as far as the file's tokenizer is one that we know, `tokenizer.json` and
/// `tokenizer_config.json` into `dir`. Returns why there is no tokenizer, if there is none.
///
/// # Errors
/// A damaged file; an architecture that is not read.
pub fn unpack(path: &Path, dir: &Path) -> Result<Option<String>> {
    let header = Header::read(path)?;
    let corrupt = |reason: String| Error::CorruptGguf { path: path.to_path_buf(), reason };
    let factors = match header.tensors.contains_key("rope_freqs.weight") {
        true => Some(header.values(&mut File::open(path).map_err(Error::io(path))?, "rope_freqs.weight")?),
        false => None,
    };
    let has_tensor = |name: &str| header.tensors.contains_key(name);
    let config = to_config(&header.metadata, factors.as_deref(), has_tensor).map_err(corrupt)?;
    ModelConfig::from_json(&config.to_string())?;
    put(dir, "config.json", &config)?;
    match tokenizer(&header) {
        Ok((tokenizer, config)) => {
            put(dir, "tokenizer.json", &tokenizer)?;
            put(dir, "tokenizer_config.json", &config)?;
            Ok(None)
        }
        Err(reason) => Ok(Some(reason)),
    }
}

fn put(dir: &Path, name: &str, value: &Json) -> Result<()> {
    write_atomic(&dir.join(name), format!("{value:#}\n").as_bytes())
}

/// `tokenizer.json` and `tokenizer_config.json`: the file's own copy, else made of its tokens.
fn tokenizer(header: &Header) -> std::result::Result<(Json, Json), String> {
    let Some(text) = header.metadata.get(JSON_KEY).and_then(Value::as_str) else { return from_tokens(header) };
    let tokenizer: Json = serde_json::from_str(text).map_err(|error| format!("its {JSON_KEY} is no JSON: {error}"))?;
    let vocab = tokenizer["model"]["vocab"].as_object().into_iter().flatten();
    let mut texts: HashMap<u64, String> = vocab.filter_map(|(text, id)| Some((id.as_u64()?, text.clone()))).collect();
    for added in tokenizer["added_tokens"].as_array().into_iter().flatten() {
        if let (Some(id), Some(text)) = (added["id"].as_u64(), added["content"].as_str()) {
            texts.insert(id, text.to_owned());
        }
    }
    let config = config(header, |id| texts.get(&id).cloned());
    Ok((tokenizer, config))
}

/// Roles of tokens and the chat template.
fn config(header: &Header, text: impl Fn(u64) -> Option<String>) -> Json {
    let id = |key: &str| header.metadata.get(&format!("tokenizer.ggml.{key}_token_id")).and_then(Value::as_u64);
    let text_of = |key: &str| id(key).and_then(&text);
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
        "bos_token": text_of("bos"), "eos_token": text_of("eos"), "pad_token": text_of("padding"),
        "unk_token": text_of("unknown"),
        "chat_template": header.metadata.get("tokenizer.chat_template").and_then(Value::as_str),
    })
}

/// Both made of the list of tokens.
pub(super) fn from_tokens(header: &Header) -> std::result::Result<(Json, Json), String> {
    let get = |key: &str| header.metadata.get(&format!("tokenizer.ggml.{key}"));
    let Some(Value::Texts(tokens)) = get("tokens") else { return Err("it has no tokens".into()) };
    let kinds = match get("token_type") {
        Some(Value::Integers(kinds)) if kinds.len() == tokens.len() => kinds.clone(),
        None => vec![kind::NORMAL; tokens.len()],
        _ => return Err("its token types do not fit its tokens".into()),
    };
    let is_special = |kind: i64| kind == kind::CONTROL || kind == kind::UNKNOWN;
    let added: Vec<Json> = (tokens.iter().zip(&kinds).enumerate())
        .filter(|(_, (_, kind))| is_special(**kind) || **kind == kind::USER_DEFINED)
        .map(|(id, (text, kind))| {
            json!({ "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": is_special(*kind) })
        })
        .collect();
    let vocab: serde_json::Map<String, Json> = (tokens.iter().zip(&kinds).enumerate())
        .filter(|(_, (_, kind))| **kind != kind::UNUSED)
        .map(|(id, (text, _))| (text.clone(), json!(id)))
        .collect();
    let id = |key: &str| get(key).and_then(Value::as_u64).and_then(|id| usize::try_from(id).ok());
    let text_of = |key: &str| id(key).and_then(|id| tokens.get(id)).cloned();
    let mut tokenizer = match get("model").and_then(Value::as_str) {
        Some("gpt2") => byte_level(get, vocab)?,
        Some("llama") => sentencepiece(get, tokens, &kinds, vocab)?,
        other => return Err(format!("its tokenizer is {other:?}, read are \"gpt2\" and \"llama\"")),
    };
    // SentencePiece models add BOS unless they say otherwise.
    let default = get("model").and_then(Value::as_str) == Some("llama");
    let adds_bos = get("add_bos_token").and_then(Value::as_bool).unwrap_or(default);
    if let Some(bos) = text_of("bos_token_id").filter(|_| adds_bos) {
        tokenizer["post_processor"] = bos_first(&bos, id("bos_token_id"));
    }
    tokenizer["added_tokens"] = Json::Array(added);
    let text = |id: u64| usize::try_from(id).ok().and_then(|id| tokens.get(id)).cloned();
    Ok((tokenizer, config(header, text)))
}

fn bos_first(bos: &str, id: Option<usize>) -> Json {
    let sequence = |name: &str, kind: u32| json!({ "Sequence": { "id": name, "type_id": kind } });
    let special = json!({ "SpecialToken": { "id": bos, "type_id": 0 } });
    json!({ "type": "TemplateProcessing", "single": [special, sequence("A", 0)],
        "pair": [special, sequence("A", 0), sequence("B", 1)],
        "special_tokens": { bos: { "id": bos, "ids": [id], "tokens": [bos] } } })
}

fn bpe(vocab: serde_json::Map<String, Json>, merges: Vec<Json>, byte_fallback: bool, unknown: Option<&String>) -> Json {
    json!({ "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": byte_fallback, "byte_fallback": byte_fallback, "ignore_merges": false,
        "vocab": vocab, "merges": merges })
}

fn byte_level<'a>(
    get: impl Fn(&str) -> Option<&'a Value>,
    vocab: serde_json::Map<String, Json>,
) -> std::result::Result<Json, String> {
    let way = get("pre").and_then(Value::as_str).unwrap_or("gpt-2");
    let pre = pretokenize::json_of(way).ok_or_else(|| format!("it cuts text the way {way:?}, which is not known"))?;
    let Some(Value::Texts(merges)) = get("merges") else { return Err("it has no merges".into()) };
    let mut pairs = Vec::with_capacity(merges.len());
    for merge in merges {
        match merge.split_once(' ') {
            Some((a, b)) if vocab.contains_key(a) && vocab.contains_key(b) => pairs.push(json!([a, b])),
            _ => return Err(format!("its merge {merge:?} is none of two tokens")),
        }
    }
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    Ok(json!({ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": pre, "post_processor": null, "decoder": byte_level, "model": bpe(vocab, pairs, false, None) }))
}

/// Merges out of scores: every way to make a token of two others, the best token first.
fn sentencepiece<'a>(
    get: impl Fn(&str) -> Option<&'a Value>,
    tokens: &[String],
    kinds: &[i64],
    vocab: serde_json::Map<String, Json>,
) -> std::result::Result<Json, String> {
    let scores = match get("scores") {
        Some(Value::Floats(scores)) if scores.len() == tokens.len() => scores,
        _ => return Err("it has no scores for its tokens".into()),
    };
    let id_of = |text: &str| vocab.get(text).and_then(Json::as_u64);
    let mut pairs = Vec::new();
    for (id, (text, kind)) in tokens.iter().zip(kinds).enumerate() {
        if *kind != kind::NORMAL {
            continue;
        }
        for (cut, _) in text.char_indices().skip(1) {
            let (a, b) = text.split_at(cut);
            if let (Some(first), Some(second)) = (id_of(a), id_of(b)) {
                pairs.push((scores[id], first, second, a, b));
            }
        }
    }
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    let merges = pairs.into_iter().map(|(.., a, b)| json!([a, b])).collect();
    let unknown = get("unknown_token_id").and_then(Value::as_u64).and_then(|id| tokens.get(usize::try_from(id).ok()?));
    let adds_prefix = get("add_space_prefix").and_then(Value::as_bool).unwrap_or(true);
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let prepend = json!({ "type": "Prepend", "prepend": "▁" });
    let normalizers = if adds_prefix { vec![prepend, replace] } else { vec![replace] };
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if adds_prefix {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    Ok(json!({ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": { "type": "Sequence", "normalizers": normalizers }, "pre_tokenizer": null,
        "post_processor": null, "decoder": { "type": "Sequence", "decoders": decoders },
        "model": bpe(vocab, merges, true, unknown) }))
}
