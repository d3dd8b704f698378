use serde_json::json;

use super::fixture::{byte_level, metaspace_json, model_dir, tokenizer, tokenizer_config, write};
use super::{Tokenizer, display};
use crate::Error;

#[test]
fn encodes_and_decodes_with_and_without_special_tokens() {
    let tokenizer = tokenizer(true);
    let bare = tokenizer.encode("SELECT naïve 日本 🎻", false).unwrap();
    let with = tokenizer.encode("SELECT naïve 日本 🎻", true).unwrap();
    assert_eq!(with[0], 0);
    assert_eq!(with[1..], bare);
    assert_eq!(tokenizer.decode(&with, true).unwrap(), "SELECT naïve 日本 🎻");
    assert_eq!(tokenizer.decode(&with, false).unwrap(), "<s>SELECT naïve 日本 🎻");
    assert_eq!(tokenizer.encode("a<|im_end|>", false).unwrap().last(), Some(&3));
}

#[test]
fn knows_special_tokens_and_their_roles() {
    let tokenizer = tokenizer(false);
    assert_eq!((tokenizer.bos_token(), tokenizer.bos_id()), (Some("<s>"), Some(0)));
    assert_eq!((tokenizer.eos_token(), tokenizer.eos_id()), (Some("</s>"), Some(1)));
    assert!(tokenizer.is_special(3) && !tokenizer.is_special(10) && !tokenizer.is_special(9999));
    assert_eq!(tokenizer.token_id("<|im_end|>"), Some(3));
    assert_eq!(tokenizer.stop_ids(), [1]);
    assert_eq!(tokenizer.special_texts(), ["<|im_start|>", "<|im_end|>", "</s>", "<s>"]);
}

#[test]
fn stop_ids_follow_generation_config_then_config_then_eos() {
    let stops = |files: &[(&str, serde_json::Value)]| {
        let dir = model_dir(&byte_level(false), files);
        Tokenizer::from_dir(dir.path()).unwrap().stop_ids().to_vec()
    };
    let generation = |eos: serde_json::Value| ("generation_config.json", json!({ "eos_token_id": eos }));
    let config = ("config.json", json!({ "eos_token_id": 2, "bos_token_id": 0 }));
    assert_eq!(stops(&[generation(json!([3, 1, 3])), config.clone()]), [1, 3]);
    assert_eq!(stops(&[generation(json!(3)), config.clone()]), [3]);
    assert_eq!(stops(&[generation(json!(null)), config.clone()]), [2]);
    assert_eq!(stops(&[("tokenizer_config.json", tokenizer_config()), config.clone()]), [2]);
    assert_eq!(stops(&[("special_tokens_map.json", json!({ "eos_token": "</s>" }))]), [1]);
    assert_eq!(stops(&[]), [] as [u32; 0]);
    let dir = model_dir(&byte_level(false), &[config]);
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    assert_eq!((tokenizer.bos_token(), tokenizer.eos_token()), (Some("<s>"), Some("<|im_start|>")));
}

#[test]
fn a_missing_or_damaged_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let message = |dir: &std::path::Path| Tokenizer::from_dir(dir).unwrap_err().to_string();
    assert!(message(dir.path()).contains("tokenizer.json") && message(dir.path()).contains("has no tokenizer.json"));
    assert!(message(&dir.path().join("none")).contains("does not exist"));
    write(dir.path(), "tokenizer.model", "x");
    assert!(message(dir.path()).contains("SentencePiece"));
    write(dir.path(), "tokenizer.json", "{\"version\": \"1.0\", \"model\": {");
    assert!(message(dir.path()).contains("not a tokenizer"));
    byte_level(false).save(dir.path().join("tokenizer.json"), false).unwrap();
    write(dir.path(), "tokenizer_config.json", "[1]");
    assert!(
        matches!(Tokenizer::from_dir(dir.path()), Err(Error::Tokenizer { path, .. }) if path.ends_with("tokenizer_config.json"))
    );
}

#[test]
fn shows_bytes_and_parts_of_characters() {
    let tokenizer = tokenizer(false);
    let texts = |text: &str| -> Vec<String> {
        tokenizer.encode(text, false).unwrap().iter().map(|id| tokenizer.token_text(*id)).collect()
    };
    assert_eq!(texts("a\n b").concat(), "a\n b");
    assert_eq!(texts("é").concat(), "\\xC3\\xA9");
    assert_eq!(texts("<|im_end|>"), ["<|im_end|>"]);
    assert_eq!(tokenizer.token_text(99999), "<unknown id 99999>");
    assert_eq!(display::token_text("\u{2581}the", false), " the");
    assert_eq!(display::token_text("<0x0A>", false), "\n");
}

#[test]
fn the_byte_alphabet_is_inverted_completely() {
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    let mut bytes: Vec<String> =
        ByteLevel::alphabet().iter().map(|symbol| display::token_text(&symbol.to_string(), true)).collect();
    bytes.sort();
    bytes.dedup();
    assert_eq!(bytes.len(), 256);
}

#[test]
fn sentencepiece_text_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "tokenizer.json", &metaspace_json().to_string());
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    let ids = tokenizer.encode("the ab\nü", false).unwrap();
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "the ab\nü");
    let shown: String = ids.iter().map(|id| tokenizer.token_text(*id)).collect();
    assert_eq!(shown, " the ab\n\\xC3\\xBC");
}

#[test]
fn spaces_are_cleaned_up_only_on_request() {
    let clean = |flag: bool| {
        let config = json!({ "eos_token": "</s>", "clean_up_tokenization_spaces": flag });
        let dir = model_dir(&byte_level(false), &[("tokenizer_config.json", config)]);
        let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
        let ids = tokenizer.encode("it 's a , b .", false).unwrap();
        tokenizer.decode(&ids, true).unwrap()
    };
    assert_eq!(clean(false), "it 's a , b .");
    assert_eq!(clean(true), "it's a, b.");
}

#[test]
fn truncation_and_padding_of_the_file_do_not_apply() {
    let mut library = byte_level(false);
    library.with_truncation(Some(tokenizers::TruncationParams { max_length: 4, ..Default::default() })).unwrap();
    library.with_padding(Some(tokenizers::PaddingParams {
        strategy: tokenizers::PaddingStrategy::Fixed(64),
        ..Default::default()
    }));
    let dir = model_dir(&library, &[]);
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    let text = "SELECT name, city, total FROM a_long_table";
    assert_eq!(tokenizer.decode(&tokenizer.encode(text, true).unwrap(), false).unwrap(), text);
}

#[test]
fn the_fingerprint_covers_vocabulary_and_roles() {
    let fingerprint = |library, files: &[_]| {
        let dir = model_dir(library, files);
        Tokenizer::from_dir(dir.path()).unwrap().fingerprint().to_string()
    };
    let (plain, with_bos) = (byte_level(false), byte_level(true));
    let config = [("tokenizer_config.json", tokenizer_config())];
    assert_eq!(fingerprint(&plain, &config), fingerprint(&plain, &config));
    assert_ne!(fingerprint(&plain, &config), fingerprint(&with_bos, &config));
    assert_ne!(fingerprint(&plain, &config), fingerprint(&plain, &[]));
    assert!(fingerprint(&plain, &[]).starts_with("sha256:"));
}
