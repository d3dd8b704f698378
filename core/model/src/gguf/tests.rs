use std::path::Path;

use serde_json::{Value as Json, json};

use super::blocks::BlockType;
use super::names::{pair_rows, unpair_rows};
use super::read::Header;
use super::value::Value;
use super::*;
use crate::testing::{random_ids, randomized, tiny_config};
use crate::{Error, Fidelity, Model, ModelConfig, logits};

static NEVER: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Thirteen tokens of the byte-level kind.
fn tokens() -> Tokens {
    let letters = ["a", "b", "c", "d", "e", "f", "g", "Ġ", "ab", "Ġa"];
    let vocab: serde_json::Map<String, Json> =
        letters.iter().enumerate().map(|(id, text)| ((*text).to_owned(), json!(id))).collect();
    let added = |id: u32, text: &str| json!({ "id": id, "content": text, "special": true });
    let tokenizer = json!({
        "added_tokens": [added(10, "<s>"), added(11, "</s>")], "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "use_regex": true },
        "post_processor": null, "decoder": { "type": "ByteLevel" },
        "model": { "type": "BPE", "byte_fallback": false, "unk_token": null, "vocab": vocab,
            "merges": [["a", "b"], "Ġ a"] },
    });
    Tokens {
        tokenizer,
        config: json!({ "pad_token": "</s>" }),
        chat_template: Some("{{ messages }}".into()),
        bos_id: Some(10),
        eos_id: Some(11),
    }
}

/// A Llama whose matrices fill blocks of 256.
fn wide_config() -> ModelConfig {
    let text = r#"{"model_type": "llama", "vocab_size": 13, "hidden_size": 256, "intermediate_size": 256,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 512, "rope_theta": 10000.0, "tie_word_embeddings": false}"#;
    ModelConfig::from_json(text).unwrap()
}

fn export(model: &Model, quant: Quant, dir: &Path) -> crate::Result<Vec<String>> {
    let gguf = Gguf { name: "tiny".into(), quant, tokens: tokens() };
    write_model(model, &gguf, &dir.join("model.gguf"))
}

/// The model that comes out of a file which went into it.
fn round_trip(model: &Model, quant: Quant) -> (Model, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    export(model, quant, dir.path()).unwrap();
    assert_eq!(unpack(&dir.path().join("model.gguf"), dir.path()).unwrap(), None);
    (Model::load(dir.path()).unwrap(), dir)
}

#[test]
fn f32_files_give_the_same_weights_and_configuration() {
    let mut config = tiny_config();
    // What the format cannot say: a window (llama.cpp reads llama without one).
    config.sliding_window = vec![None; 2];
    let model = randomized(Model::init(config, 1), 2);
    let (back, _dir) = round_trip(&model, Quant::F32);
    assert_eq!(back.fingerprint(), model.fingerprint());
    let (a, b) = (model.config(), back.config());
    assert_eq!(
        (a.n_layers, a.head_dim, a.vocab_size, a.max_seq_len),
        (b.n_layers, b.head_dim, b.vocab_size, b.max_seq_len)
    );
    let ids = random_ids(13, 40, 3);
    let mut fidelity = Fidelity::new(13);
    fidelity.add(&logits(&model, None, &ids, &NEVER).unwrap(), &logits(&back, None, &ids, &NEVER).unwrap());
    assert!(fidelity.max_difference < 1e-5 * fidelity.max_logit, "RoPE scaling survives: {fidelity:?}");
}

/// Errors seen through two layers: rounding by 2^-12, 2^-9, 2^-8 and about 2^-5 of a block's largest.
#[test]
fn each_format_loses_what_its_bits_allow() {
    // Weights as a trained model's: with larger ones attention is decided by rounding.
    let model = Model::init(ModelConfig { initializer_range: 0.05, ..wide_config() }, 1);
    let ids = random_ids(13, 24, 3);
    let wanted = logits(&model, None, &ids, &NEVER).unwrap();
    let mut last = 0.0;
    for (quant, limit) in [(Quant::F16, 3e-3), (Quant::Bf16, 2e-2), (Quant::Q8_0, 4e-2), (Quant::Q4KM, 0.5)] {
        let (back, _dir) = round_trip(&model, quant);
        let mut fidelity = Fidelity::new(13);
        fidelity.add(&wanted, &logits(&back, None, &ids, &NEVER).unwrap());
        let relative = fidelity.max_difference / fidelity.max_logit;
        assert!(relative > 0.0 && relative < limit, "{quant:?}: {relative}");
        assert!(relative > last / 3.0, "{quant:?} is coarser than the one before: {relative}, {last}");
        last = relative;
    }
}

#[test]
fn the_mix_gives_more_bits_where_it_matters() {
    let kind = |name: &str, layer| Quant::Q4KM.type_of(name, &[256, 256], layer, 16);
    assert_eq!(kind("blk.0.attn_v.weight", Some(0)), BlockType::Q6K);
    assert_eq!(kind("blk.3.attn_v.weight", Some(3)), BlockType::Q4K);
    assert_eq!(kind("blk.4.ffn_down.weight", Some(4)), BlockType::Q6K);
    assert_eq!(kind("blk.15.ffn_down.weight", Some(15)), BlockType::Q6K);
    assert_eq!(kind("blk.0.attn_q.weight", Some(0)), BlockType::Q4K);
    assert_eq!(kind("output.weight", None), BlockType::Q6K);
    assert_eq!(Quant::Q4KM.type_of("blk.0.attn_q.weight", &[4, 64], Some(0), 16), BlockType::Q5_0);
    assert_eq!(Quant::Q4KM.type_of("output.weight", &[4, 64], None, 16), BlockType::Q8_0);
    assert_eq!(Quant::Q8_0.type_of("blk.0.attn_q.weight", &[4, 20], Some(0), 16), BlockType::F16);
    assert_eq!(Quant::Q4KM.type_of("output_norm.weight", &[256], None, 16), BlockType::F32);
}

#[test]
fn rows_are_paired_and_come_back() {
    let rows: Vec<f32> = (0..16).map(|x| x as f32).collect();
    // Two heads of four rows of two values: rows 0 1 2 3 become 0 2 1 3.
    let paired = pair_rows(&rows, 8, 2);
    assert_eq!(paired[..8], [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]);
    assert_eq!(unpair_rows(&paired, 8, 2), rows);
}

#[test]
fn the_tokenizer_travels_along() {
    let model = randomized(Model::init(wide_config(), 1), 2);
    let (_, dir) = round_trip(&model, Quant::Q8_0);
    let read = |name: &str| -> Json {
        serde_json::from_str(&std::fs::read_to_string(dir.path().join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("tokenizer.json"), tokens().tokenizer, "the file's own copy");
    let mut header = Header::read(&dir.path().join("model.gguf")).unwrap();
    assert_eq!(header.metadata["tokenizer.ggml.pre"], Value::Text("gpt-2".into()));
    assert_eq!(
        header.metadata["tokenizer.ggml.token_type"],
        Value::Integers(vec![1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 5])
    );
    assert_eq!(header.metadata["tokenizer.ggml.padding_token_id"].as_u64(), Some(11));
    // Other programs' files have the tokens alone.
    header.metadata.remove("tokenizer.huggingface.json");
    let (tokenizer, config) = super::unpack::from_tokens(&header).unwrap();
    assert_eq!(tokenizer["model"]["vocab"]["Ġa"], 9);
    assert_eq!(tokenizer["model"]["merges"], json!([["a", "b"], ["Ġ", "a"]]));
    assert_eq!(tokenizer["added_tokens"][1]["content"], "</s>");
    for config in [config, read("tokenizer_config.json")] {
        assert_eq!((&config["bos_token"], &config["eos_token"]), (&json!("<s>"), &json!("</s>")));
        assert_eq!(config["chat_template"], "{{ messages }}");
    }
}

#[test]
fn a_tokenizer_without_an_equal_is_left_out_with_a_warning() {
    let model = randomized(Model::init(wide_config(), 1), 2);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let with = |change: &dyn Fn(&mut Tokens)| {
        let mut tokens = tokens();
        change(&mut tokens);
        let warnings = write_model(&model, &Gguf { name: "tiny".into(), quant: Quant::F32, tokens }, &path);
        warnings.map_err(|error| error.to_string())
    };
    let split = json!({ "type": "Sequence", "pretokenizers": [
        { "type": "Split", "pattern": { "Regex": "\\d+" }, "behavior": "Isolated", "invert": false },
        { "type": "ByteLevel", "add_prefix_space": false, "use_regex": false }] });
    assert!(with(&|t| t.tokenizer["pre_tokenizer"] = split.clone()).unwrap()[0].contains("pre-tokenizer"));
    let header = Header::read(&path).unwrap();
    assert_eq!(header.metadata["tokenizer.ggml.model"], Value::Text("none".into()));
    assert!(super::unpack::from_tokens(&header).is_err());
    assert_eq!(unpack(&path, dir.path()).unwrap(), None, "our own copy is there all the same");
    assert!(with(&|t| t.tokenizer["model"]["type"] = json!("Unigram")).unwrap()[0].contains("Unigram"));
    assert!(with(&|t| t.tokenizer["normalizer"] = json!({ "type": "Lowercase" })).unwrap()[0].contains("Lowercase"));
    assert!(with(&|t| t.tokenizer["model"]["vocab"]["z"] = json!(99)).unwrap_err().contains("99"));
}

#[test]
fn sentencepiece_merges_come_back_from_scores() {
    let texts = ["<unk>", "▁", "a", "b", "▁a", "ab", "▁ab", "<0x0A>"];
    let vocab: serde_json::Map<String, Json> =
        texts.iter().enumerate().map(|(id, text)| ((*text).to_owned(), json!(id))).collect();
    let merges = json!([["a", "b"], ["▁", "ab"], ["▁", "a"]]);
    let tokenizer = json!({ "added_tokens": [{ "id": 0, "content": "<unk>", "special": true }],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": { "type": "BPE", "byte_fallback": true, "unk_token": "<unk>", "vocab": vocab, "merges": merges } });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let model = randomized(Model::init(wide_config(), 1), 2);
    let tokens = Tokens { tokenizer, ..Tokens::default() };
    assert_eq!(write_model(&model, &Gguf { name: "t".into(), quant: Quant::F16, tokens }, &path).unwrap(), [""; 0]);
    let (back, _) = super::unpack::from_tokens(&Header::read(&path).unwrap()).unwrap();
    let kept = back["model"]["merges"].as_array().unwrap();
    assert_eq!(kept[0], json!(["a", "b"]));
    assert!(kept.contains(&json!(["▁", "ab"])) && kept.contains(&json!(["▁", "a"])));
    assert_eq!(back["model"]["byte_fallback"], true);
}

#[test]
fn files_that_lie_about_themselves_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let model = randomized(Model::init(wide_config(), 1), 2);
    export(&model, Quant::Q8_0, dir.path()).unwrap();
    let good = std::fs::read(dir.path().join("model.gguf")).unwrap();
    let path = dir.path().join("bad.gguf");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match Header::read(&path) {
            Err(Error::CorruptGguf { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let set = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    refused(b"");
    refused(b"GGUF");
    assert!(refused(&set(0, b"GGML")).contains("GGUF"));
    assert!(refused(&set(4, &1_u32.to_le_bytes())).contains("version"));
    for count in [u64::MAX, 1 << 40, 1 << 20] {
        assert!(refused(&set(8, &count.to_le_bytes())).contains("tensors"));
        assert!(refused(&set(16, &count.to_le_bytes())).contains("metadata"));
    }
    // The first key's length, its value's type, its text's length.
    assert!(refused(&set(24, &u64::MAX.to_le_bytes())).contains("key"));
    let key = "general.architecture".len();
    assert!(refused(&set(32 + key, &99_u32.to_le_bytes())).contains("99"));
    assert!(refused(&set(36 + key, &(1_u64 << 60).to_le_bytes())).contains("length"));
    for len in [good.len() - 64, good.len() / 2, 100, 30] {
        refused(&good[..len]);
    }
    let find = |text: &str| good.windows(text.len()).position(|window| window == text.as_bytes()).unwrap() + text.len();
    let tensor = find("blk.1.attn_q.weight");
    assert!(refused(&set(tensor, &9_u32.to_le_bytes())).contains("dimensions"));
    assert!(refused(&set(tensor + 4, &u64::MAX.to_le_bytes())).contains("impossible"));
    assert!(refused(&set(tensor + 4, &(1_u64 << 62).to_le_bytes())).contains("size"));
    assert!(refused(&set(tensor + 20, &77_u32.to_le_bytes())).contains("77"));
    assert!(refused(&set(tensor + 24, &0_u64.to_le_bytes())).contains("overlap"));
    assert!(refused(&set(tensor + 24, &7_u64.to_le_bytes())).contains("attn_q"));
    assert!(refused(&set(tensor + 24, &(u64::MAX - 31).to_le_bytes())).contains("attn_q"));
}
