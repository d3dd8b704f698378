//! Files that lie: every loader answers with an error that names the file, or with a model; it never
//! panics, never asks for memory that the file could not fill, never reads another directory.

use std::path::Path;

use serde_json::{Value, json};

use crate::gguf::{self, Gguf, Quant, Tokens};
use crate::rng::CounterRng;
use crate::testing::{random_adapter, randomized};
use crate::{Adapter, AdapterConfig, Model, ModelConfig, SaveDtype};

fn small_model() -> Model {
    let text = r#"{"model_type": "llama", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 8,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "tie_word_embeddings": true}"#;
    randomized(Model::init(ModelConfig::from_json(text).unwrap(), 1), 2)
}

fn model_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    small_model().save(dir.path(), SaveDtype::F32).unwrap();
    dir
}

/// A safetensors file of a header and some data.
fn safetensors(header: &str, n_data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; n_data]);
    bytes
}

/// What is wrong with a model whose weights are these bytes.
#[track_caller]
fn refusal(weights: &[u8]) -> String {
    let dir = model_dir();
    std::fs::write(dir.path().join("model.safetensors"), weights).unwrap();
    let error = Model::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
    error
}

#[test]
fn headers_that_cannot_be_true_are_refused() {
    let norm = "model.norm.weight";
    let entry = |dtype: &str, shape: Value, start: u64, end: u64| {
        json!({ norm: { "dtype": dtype, "shape": shape, "data_offsets": [start, end] } }).to_string()
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("an empty file", Vec::new()),
        ("half a length", vec![1, 0, 0]),
        ("a header of 2^64 - 1 bytes", vec![0xff; 8]),
        ("a header of 2^63 bytes", (1_u64 << 63).to_le_bytes().to_vec()),
        ("a header longer than the file", 100_u64.to_le_bytes().to_vec()),
        ("no JSON", safetensors("{", 0)),
        ("JSON that is no object", safetensors("[]", 0)),
        ("JSON of great depth", safetensors(&format!("{{\"a\": {deep}}}"), 0)),
        ("no UTF-8", [&8_u64.to_le_bytes()[..], &[0xff; 8]].concat()),
        ("offsets outside", safetensors(&entry("F32", json!([8]), 0, 32), 16)),
        ("offsets backwards", safetensors(&entry("F32", json!([8]), 32, 0), 32)),
        ("offsets of 2^63", safetensors(&entry("F32", json!([8]), 1 << 63, (1 << 63) + 32), 32)),
        ("a hole before the data", safetensors(&entry("F32", json!([8]), 32, 64), 64)),
        ("data behind the last tensor", safetensors(&entry("F32", json!([8]), 0, 32), 64)),
        ("a shape that is not its data's", safetensors(&entry("F32", json!([9]), 0, 32), 32)),
        ("a shape that overflows", safetensors(&entry("F32", json!([1_u64 << 62, 8]), 0, 32), 32)),
        ("a negative shape", safetensors(&entry("F32", json!([-8]), 0, 32), 32)),
        ("a fractional shape", safetensors(&entry("F32", json!([8.5]), 0, 32), 32)),
        ("an unknown dtype", safetensors(&entry("F31", json!([8]), 0, 32), 32)),
        ("no offsets", safetensors(&json!({ norm: { "dtype": "F32", "shape": [8] } }).to_string(), 32)),
        (
            "tensors on top of each other",
            safetensors(
                &json!({ norm: { "dtype": "F32", "shape": [8], "data_offsets": [0, 32] },
                    "x": { "dtype": "F32", "shape": [8], "data_offsets": [16, 48] } })
                .to_string(),
                48,
            ),
        ),
        (
            "one name twice",
            safetensors(
                r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8,
            ),
        ),
    ];
    for (what, bytes) in cases {
        let error = refusal(&bytes);
        assert!(error.contains("safetensors file:"), "{what}: {error}");
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let with = |change: &dyn Fn(&mut Value)| {
        let dir = model_dir();
        let path = dir.path().join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        change(&mut header);
        let text = header.to_string();
        std::fs::write(&path, [&safetensors(&text, 0)[..], &bytes[8 + length..]].concat()).unwrap();
        Model::load(dir.path()).unwrap_err().to_string()
    };
    let q = "model.layers.0.self_attn.q_proj.weight";
    let error = with(&|header| header[q]["shape"] = json!([4, 16]));
    assert!(error.contains(q) && error.contains("[4, 16]") && error.contains("[8, 8]"), "{error}");
    let error = with(&|header| header[q]["dtype"] = json!("I32"));
    assert!(error.contains(q) && error.contains("I32"), "{error}");
    let error = with(&|header| {
        let entry = header.as_object_mut().unwrap().remove(q).unwrap();
        header["model.layers.0.self_attn.z_proj.weight"] = entry;
    });
    assert!(error.contains("z_proj"), "{error}");
    let dir = model_dir();
    let config = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
    let more = config.replace("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2");
    assert_ne!(more, config);
    std::fs::write(dir.path().join("config.json"), more).unwrap();
    let error = Model::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("model.layers.1.") && error.contains("missing"), "{error}");
}

#[test]
fn an_index_does_not_leave_its_directory() {
    let dir = model_dir();
    std::fs::rename(dir.path().join("model.safetensors"), dir.path().join("shard.safetensors")).unwrap();
    let index = dir.path().join("model.safetensors.index.json");
    for name in ["../shard.safetensors", "/etc/passwd", "a/../shard.safetensors", "..", "", "absent.safetensors"] {
        std::fs::write(&index, json!({ "weight_map": { "model.norm.weight": name } }).to_string()).unwrap();
        assert!(Model::load(dir.path()).is_err(), "{name:?}");
    }
    std::fs::write(&index, json!({ "weight_map": { "model.norm.weight": "shard.safetensors" } }).to_string()).unwrap();
    Model::load(dir.path()).unwrap();
}

#[test]
fn configurations_without_end_are_refused() {
    let dir = model_dir();
    let load = |config: &[u8]| {
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        Model::load(dir.path()).unwrap_err().to_string()
    };
    for text in ["", "null", "[]", "{}", "\u{0}", &"[".repeat(1 << 20)] {
        assert!(load(text.as_bytes()).contains("config.json"));
    }
    assert!(load(&[0xff; 64]).contains("config.json"));
    let huge = format!("{{\"model_type\": \"llama\", \"x\": \"{}\"}}", "y".repeat(64 << 20));
    assert!(load(huge.as_bytes()).contains("larger"));
    #[cfg(unix)]
    {
        let path = dir.path().join("model.safetensors");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        small_model().save(&dir.path().join("other"), SaveDtype::F32).unwrap();
        std::fs::copy(dir.path().join("other/config.json"), dir.path().join("config.json")).unwrap();
        assert!(Model::load(dir.path()).unwrap_err().to_string().contains("model.safetensors"));
    }
}

#[test]
fn adapters_that_lie_are_refused() {
    let model = small_model();
    let dir = tempfile::tempdir().unwrap();
    let adapter = random_adapter(&model, &AdapterConfig { r: 2, ..AdapterConfig::default() }, 3);
    adapter.save(dir.path(), "base", &serde_json::Map::new()).unwrap();
    let path = dir.path().join("adapter_config.json");
    let good: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    Adapter::load(dir.path(), &model).unwrap();
    let cases = [
        ("r", json!(0)),
        ("r", json!(-1)),
        ("r", json!(3)),
        ("r", json!(1_u64 << 40)),
        ("r", json!(u64::MAX)),
        ("lora_alpha", json!("many")),
        ("peft_type", json!("VERA")),
        ("target_modules", json!(7)),
        ("target_modules", json!(["no_such_module"])),
        ("target_modules", json!([])),
    ];
    for (key, value) in cases {
        let mut config = good.clone();
        config[key] = value.clone();
        std::fs::write(&path, config.to_string()).unwrap();
        let error = Adapter::load(dir.path(), &model).map(drop).unwrap_err();
        assert!(!error.to_string().is_empty(), "{key} = {value}");
    }
}

/// Bytes changed, cut and repeated at places drawn from a fixed seed.
fn mutated(bytes: &[u8], seed: u64, reach: usize) -> Vec<u8> {
    let rng = CounterRng::new(seed, 0x6675_7a7a);
    let mut out = bytes.to_vec();
    let reach = reach.min(out.len().max(1));
    for i in 0..1 + rng.below_at(0, 4) {
        let draw = |k: u64, below: u64| rng.below_at(1 + 8 * i + k, below.max(1));
        let at = (draw(0, reach as u64) as usize).min(out.len().saturating_sub(1));
        match draw(1, 6) {
            _ if out.is_empty() => {}
            0 => out[at] ^= 1 << draw(2, 8),
            1 => out[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'[', b'9'][draw(2, 8) as usize],
            2 => out.truncate(draw(2, out.len() as u64) as usize),
            3 => {
                let end = (at + draw(2, 16) as usize).min(out.len());
                out.drain(at..end);
            }
            4 => {
                let piece: Vec<u8> = out[at..(at + draw(2, 32) as usize).min(out.len())].to_vec();
                out.splice(at..at, piece);
            }
            _ => {
                let at = at.min(out.len().saturating_sub(8));
                let end = (at + 8).min(out.len());
                let number = [u64::MAX, 1 << 63, 1 << 40, 1 << 31, 0][draw(2, 5) as usize].to_le_bytes();
                out[at..end].copy_from_slice(&number[..end - at]);
            }
        }
    }
    out
}

/// Every mutation is loaded or refused. Panics and aborts fail the test by themselves.
fn fuzz(dir: &Path, file: &str, reach: usize, n: u64, load: impl Fn() -> bool) {
    let path = dir.join(file);
    let good = std::fs::read(&path).unwrap();
    assert!(load(), "{file} as it was written");
    let n_refused = (0..n).filter(|seed| {
        std::fs::write(&path, mutated(&good, *seed, reach)).unwrap();
        !load()
    });
    let n_refused = n_refused.count() as u64;
    assert!(n_refused > n / 4, "{file}: {n_refused} of {n} refused; the mutations miss what matters");
    std::fs::write(&path, good).unwrap();
}

#[test]
fn mutated_files_are_loaded_or_refused() {
    let model = small_model();
    let dir = model_dir();
    let header = |path: &str| {
        let bytes = std::fs::read(dir.path().join(path)).unwrap();
        8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
    };
    let reach = header("model.safetensors");
    fuzz(dir.path(), "model.safetensors", reach, 400, || Model::load(dir.path()).is_ok());
    fuzz(dir.path(), "config.json", usize::MAX, 400, || Model::load(dir.path()).is_ok());
    let adapter = random_adapter(&model, &AdapterConfig { r: 2, ..AdapterConfig::default() }, 3);
    adapter.save(dir.path(), "base", &serde_json::Map::new()).unwrap();
    let reach = header("adapter_model.safetensors");
    fuzz(dir.path(), "adapter_model.safetensors", reach, 250, || Adapter::load(dir.path(), &model).is_ok());
    fuzz(dir.path(), "adapter_config.json", usize::MAX, 250, || Adapter::load(dir.path(), &model).is_ok());

    let vocab = json!({ "a": 0, "b": 1, "ab": 2 });
    let tokenizer = json!({ "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false },
        "model": { "type": "BPE", "vocab": vocab, "merges": [["a", "b"]] } });
    let tokens = Tokens { tokenizer, ..Tokens::default() };
    let path = dir.path().join("model.gguf");
    gguf::write_model(&model, &Gguf { name: "t".into(), quant: Quant::Q8_0, tokens }, &path).unwrap();
    let unpacked = tempfile::tempdir().unwrap();
    let load = || {
        let linked = unpacked.path().join("model.gguf");
        std::fs::copy(&path, &linked).unwrap();
        gguf::unpack(&path, unpacked.path()).is_ok() && Model::load(unpacked.path()).is_ok()
    };
    fuzz(dir.path(), "model.gguf", 2300, 800, load);
}
