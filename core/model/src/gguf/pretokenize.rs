//! How text is cut before byte-pair encoding: which of llama.cpp's built-in ways a `tokenizer.json`
//! uses. A file names its way (`tokenizer.ggml.pre`); llama.cpp has the expressions compiled in, so a
//! tokenizer with another one cannot be exported without changing what the model sees.

use serde_json::{Value, json};

/// One of llama.cpp's ways, and how `tokenizer.json` says it.
struct Way {
    /// `tokenizer.ggml.pre`.
    name: &'static str,
    /// Digits are cut off one by one first.
    digits: bool,
    /// The `Split` expression, or GPT-2's own inside `ByteLevel`.
    regex: Option<&'static str>,
}

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Sources: `llm_tokenizer_bpe` in llama.cpp's src/llama-vocab.cpp, and the models' own files.
const WAYS: [Way; 5] = [
    Way { name: "gpt-2", digits: false, regex: None },
    Way { name: "smollm", digits: true, regex: None },
    Way { name: "llama-bpe", digits: false, regex: Some(LLAMA3) },
    Way { name: "qwen2", digits: false, regex: Some(QWEN2) },
    Way { name: "tekken", digits: false, regex: Some(TEKKEN) },
];

/// The way of a `tokenizer.json`'s `pre_tokenizer`.
pub(super) fn name_of(pre_tokenizer: &Value) -> Option<&'static str> {
    let steps = match pre_tokenizer["type"].as_str()? {
        "Sequence" => pre_tokenizer["pretokenizers"].as_array()?.clone(),
        _ => vec![pre_tokenizer.clone()],
    };
    let (mut digits, mut regex, mut is_byte_level) = (false, None, false);
    for step in &steps {
        match step["type"].as_str()? {
            "Digits" if step["individual_digits"] == true && regex.is_none() => digits = true,
            "Split" if regex.is_none() && step["behavior"] == "Isolated" && step["invert"] != true => {
                regex = Some(step["pattern"]["Regex"].as_str()?.to_owned());
            }
            "ByteLevel" if step["add_prefix_space"] != true => {
                // Without an expression of its own, ByteLevel cuts by GPT-2's.
                if step["use_regex"] == false && regex.is_none() {
                    return None;
                }
                if step["use_regex"] != false && regex.is_some() {
                    return None;
                }
                is_byte_level = true;
            }
            _ => return None,
        }
    }
    let is_way = |way: &&Way| way.digits == digits && way.regex == regex.as_deref();
    WAYS.iter().find(is_way).filter(|_| is_byte_level).map(|way| way.name)
}

/// The `pre_tokenizer` of a way; other names of the same way are known too.
pub(super) fn json_of(name: &str) -> Option<Value> {
    let name = match name {
        "llama3" | "llama-v3" | "llama-bpe" | "dbrx" | "smaug-bpe" => "llama-bpe",
        "qwen2" | "deepseek-r1-qwen" | "megrez" => "qwen2",
        "gpt2" | "gpt-2" | "phi-2" | "exaone" | "olmo" | "jais" => "gpt-2",
        other => other,
    };
    let way = WAYS.iter().find(|way| way.name == name)?;
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
    let mut steps = Vec::new();
    if way.digits {
        steps.push(json!({ "type": "Digits", "individual_digits": true }));
    }
    if let Some(regex) = way.regex {
        steps.push(json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false }));
    }
    steps.push(byte_level(way.regex.is_none()));
    Some(json!({ "type": "Sequence", "pretokenizers": steps }))
}
