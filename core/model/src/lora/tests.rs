//! PEFT's files: exact keys, round trips, refusals.

use super::*;
use crate::testing::{random_adapter, randomized, tiny_config};
use serde_json::{Map, Value, json};
use std::path::Path;

fn model() -> Model {
    randomized(Model::init(tiny_config(), 1), 2)
}

fn config() -> LoraConfig {
    LoraConfig { r: 2, alpha: 4.0, dropout: 0.1, target_modules: vec!["v_proj".into(), "q_proj".into()] }
}

fn extra() -> Map<String, Value> {
    json!({"zeta": 1, "alpha": {"b": 2, "a": [1]}}).as_object().unwrap().clone()
}

fn edit_config(dir: &Path, key: &str, value: Value) {
    let path = dir.join("adapter_config.json");
    let mut json: Map<String, Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    json.insert(key.to_owned(), value);
    crate::io::write_atomic(&path, Value::Object(json).to_string().as_bytes()).unwrap();
}

#[test]
fn initial_values_are_kaiming_uniform_and_zero() {
    let adapter = LoraAdapter::init(&model(), &config(), 3).unwrap();
    let [a, b] = [0, 1].map(|i| &adapter.weights.tensors[i]);
    assert_eq!(a.name, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assert_eq!((a.shape.as_slice(), b.shape.as_slice()), (&[2, 8][..], &[16, 2][..]));
    let bound = 1.0 / 8f32.sqrt();
    assert!(
        a.values.as_slice().iter().all(|x| x.abs() <= bound)
            && a.values.as_slice().iter().any(|x| x.abs() > bound / 2.0)
    );
    assert!(b.values.as_slice().iter().all(|&x| x == 0.0));
    assert_eq!(adapter.n_parameters(), 2 * 2 * (8 + 16 + 8 + 8));
    assert_eq!(adapter.scaling(), 2.0);
}

#[test]
fn round_trip_keeps_everything_and_bytes_are_deterministic() {
    let model = model();
    let adapter = random_adapter(&model, &config(), 4);
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    adapter.save(first.path(), "pico", &extra()).unwrap();
    let loaded = LoraAdapter::load(first.path(), &model).unwrap();
    assert_eq!(loaded.weights.tensors, adapter.weights.tensors);
    assert_eq!(loaded.config().target_modules, ["q_proj", "v_proj"]);
    loaded.save(second.path(), "pico", &extra()).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors", "luthier.json"] {
        let read = |dir: &Path| std::fs::read(dir.join(name)).unwrap();
        assert_eq!(read(first.path()), read(second.path()), "{name}");
    }
    assert_eq!(LoraAdapter::read_extra(first.path()).unwrap(), extra());
    loaded.save(second.path(), "pico", &Map::new()).unwrap();
    assert!(LoraAdapter::read_extra(second.path()).unwrap().is_empty());
}

#[test]
fn the_config_file_has_every_key_that_peft_writes() {
    let dir = tempfile::tempdir().unwrap();
    LoraAdapter::init(&model(), &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
    let text = std::fs::read_to_string(dir.path().join("adapter_config.json")).unwrap();
    let json: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let keys: Vec<&str> = json.keys().map(String::as_str).collect();
    let expected = "alpha_pattern auto_mapping base_model_name_or_path bias fan_in_fan_out inference_mode \
        init_lora_weights layer_replication layers_pattern layers_to_transform loftq_config lora_alpha \
        lora_dropout megatron_config megatron_core modules_to_save peft_type r rank_pattern revision \
        target_modules task_type use_dora use_rslora";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(json["lora_alpha"], json!(4));
    assert_eq!(json["target_modules"], json!(["q_proj", "v_proj"]));
}

#[test]
fn rslora_scales_by_the_root_of_the_rank() {
    let (model, dir) = (model(), tempfile::tempdir().unwrap());
    LoraAdapter::init(&model, &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
    edit_config(dir.path(), "use_rslora", json!(true));
    assert_eq!(LoraAdapter::load(dir.path(), &model).unwrap().scaling(), 4.0 / 2f64.sqrt());
}

#[test]
fn what_is_not_implemented_is_refused_by_key() {
    let (model, dir) = (model(), tempfile::tempdir().unwrap());
    let cases = [
        ("use_dora", json!(true)),
        ("modules_to_save", json!(["lm_head"])),
        ("rank_pattern", json!({"q_proj": 4})),
        ("bias", json!("all")),
        ("peft_type", json!("IA3")),
        ("r", json!(0)),
    ];
    for (key, value) in cases {
        LoraAdapter::init(&model, &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
        edit_config(dir.path(), key, value);
        let error = LoraAdapter::load(dir.path(), &model).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn mismatches_are_named() {
    let (model, dir) = (model(), tempfile::tempdir().unwrap());
    LoraAdapter::init(&model, &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
    edit_config(dir.path(), "r", json!(3));
    match LoraAdapter::load(dir.path(), &model).unwrap_err() {
        Error::WrongShape { expected, found, .. } => assert_eq!((expected[0], found[0]), (3, 2)),
        other => panic!("{other}"),
    }
    edit_config(dir.path(), "r", json!(2));
    edit_config(dir.path(), "target_modules", json!(["q_proj", "v_proj", "k_proj"]));
    assert!(matches!(LoraAdapter::load(dir.path(), &model), Err(Error::MissingTensor { .. })));
    edit_config(dir.path(), "target_modules", json!(["q_proj"]));
    assert!(matches!(LoraAdapter::load(dir.path(), &model), Err(Error::UnexpectedTensor { .. })));
    edit_config(dir.path(), "target_modules", json!(["query"]));
    assert!(matches!(LoraAdapter::load(dir.path(), &model), Err(Error::UnknownModule { .. })));
    assert!(matches!(LoraAdapter::load(Path::new("/nonexistent"), &model), Err(Error::Io { .. })));
}

#[test]
fn settings_out_of_range_are_named() {
    let check = |config: LoraConfig, what: &str| {
        let error = LoraAdapter::init(&model(), &config, 1).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    check(LoraConfig { r: 0, ..config() }, "LoRA r is 0");
    check(LoraConfig { alpha: 0.0, ..config() }, "LoRA alpha is 0");
    check(LoraConfig { dropout: 1.0, ..config() }, "LoRA dropout is 1");
    check(LoraConfig { target_modules: vec![], ..config() }, "target_modules");
    check(LoraConfig { target_modules: vec!["fc".into()], ..config() }, "`fc`");
}
