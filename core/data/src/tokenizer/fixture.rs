//! Model directories for tests: a byte-level BPE trained on the spot, or a SentencePiece-like
//! Unigram, with the JSON files that the ecosystem keeps beside them.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer as Library};

use crate::{ChatTemplate, Prompter, Tokenizer};

pub(crate) const SPECIAL: [&str; 4] = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"];

pub(crate) const CHATML: &str = "{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// A byte-level BPE of some 300 tokens; ids 0 to 3 are [`SPECIAL`]. With `adds_bos` its
/// post-processor puts `<s>` in front, as Llama's does.
pub(crate) fn byte_level(adds_bos: bool) -> Library {
    let special = SPECIAL.map(|text| AddedToken::from(text, true));
    let trainer = BpeTrainer::builder()
        .vocab_size(320)
        .min_frequency(0)
        .show_progress(false)
        .special_tokens(special.to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut library = Library::new(BPE::default());
    library.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    library.with_decoder(Some(ByteLevel::default()));
    let corpus =
        ["SELECT COUNT(*) FROM orders", "SELECT name FROM customers WHERE city = 'Lyon'", "How many orders are open?"];
    library.train(&mut TrainerWrapper::from(trainer), corpus.iter()).unwrap();
    if adds_bos {
        let processor = TemplateProcessing::builder()
            .try_single("<s> $A")
            .unwrap()
            .special_tokens(vec![("<s>", 0)])
            .build()
            .unwrap();
        library.with_post_processor(Some(processor));
    }
    library
}

/// A model directory with that tokenizer and these files.
pub(crate) fn model_dir(library: &Library, files: &[(&str, Value)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    library.save(dir.path().join("tokenizer.json"), false).unwrap();
    for (name, value) in files {
        write(dir.path(), name, &value.to_string());
    }
    dir
}

pub(crate) fn write(dir: &Path, name: &str, text: &str) {
    crate::atomic::write(&dir.join(name), text.as_bytes()).unwrap();
}

/// `tokenizer_config.json` with BOS and EOS.
pub(crate) fn tokenizer_config() -> Value {
    json!({ "bos_token": "<s>", "eos_token": { "content": "</s>", "lstrip": false } })
}

/// Byte-level tokenizer with BOS and EOS.
pub(crate) fn tokenizer(adds_bos: bool) -> Tokenizer {
    let dir = model_dir(&byte_level(adds_bos), &[("tokenizer_config.json", tokenizer_config())]);
    Tokenizer::from_dir(dir.path()).unwrap()
}

/// The byte-level tokenizer with a chat template, or the plain default.
pub(crate) fn prompter(template: Option<&str>, adds_bos: bool) -> Prompter {
    let tokenizer = tokenizer(adds_bos);
    let template = match template {
        Some(source) => ChatTemplate::from_source("test", source, &tokenizer).unwrap(),
        None => ChatTemplate::plain(&tokenizer),
    };
    Prompter { tokenizer, template }
}

/// Unigram with SentencePiece's word mark and byte fallback.
pub(crate) fn metaspace_json() -> Value {
    let mut vocab = vec![json!(["<unk>", 0.0]), json!(["<s>", 0.0]), json!(["</s>", 0.0])];
    for byte in 0..=255u8 {
        vocab.push(json!([format!("<0x{byte:02X}>"), -20.0]));
    }
    for piece in
        ["\u{2581}", "\u{2581}a", "\u{2581}the", "b", "ab", "c", "d", "\u{2581}answer", ":", "\u{2581}User", "U", "ser"]
    {
        vocab.push(json!([piece, -2.0 - piece.len() as f64 / 10.0]));
    }
    let special = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": null,
        "pre_tokenizer": { "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": false },
        "post_processor": null,
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "\u{2581}" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 } ] },
        "model": { "type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": vocab },
    })
}
