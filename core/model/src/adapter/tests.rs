//! PEFT's files: exact keys, round trips, refusals.

use super::*;
use crate::testing::{random_adapter, randomized, tiny_config};
use crate::{Error, Model};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn model() -> Model {
    randomized(Model::init(tiny_config(), 1), 2)
}

fn config() -> AdapterConfig {
    AdapterConfig {
        r: 2,
        alpha: 4.0,
        dropout: 0.1,
        target_modules: names(&["v_proj", "q_proj"]),
        ..AdapterConfig::default()
    }
}

fn logits(model: &Model, adapter: Option<&Adapter>, ids: &[u32]) -> Vec<f32> {
    crate::logits(model, adapter, ids, &AtomicBool::new(false)).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// One configuration of every kind.
fn methods() -> Vec<(&'static str, AdapterConfig)> {
    let ia3 = AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..AdapterConfig::default() };
    let patterns = AdapterConfig {
        rank_pattern: vec![("0.self_attn.q_proj".to_owned(), 3)],
        alpha_pattern: vec![("v_.*".to_owned(), 7.0)],
        layers: vec![1, 0],
        layers_pattern: names(&["layers"]),
        ..config()
    };
    vec![
        ("lora", config()),
        ("rslora", AdapterConfig { use_rslora: true, ..config() }),
        ("dora", AdapterConfig { use_dora: true, ..config() }),
        ("pissa", AdapterConfig { init: LoraInit::Pissa, ..config() }),
        ("ia3", ia3),
        ("patterns", patterns),
        ("saved", AdapterConfig { modules_to_save: names(&["lm_head", "embed_tokens"]), bias: Bias::All, ..config() }),
        ("lora_only", AdapterConfig { bias: Bias::LoraOnly, ..config() }),
    ]
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
    let adapter = Adapter::init(&model(), &config(), 3).unwrap();
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
    assert_eq!(scaling(&adapter, 0), 2.0);
}

/// The scaling of the slot on a module.
fn scaling(adapter: &Adapter, id: usize) -> f64 {
    match &adapter.weights.slots[id] {
        Some(SlotLayout::LowRank { scaling, .. }) => *scaling,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_method_starts_as_the_base() {
    let model = model();
    let ids = crate::testing::random_ids(13, 9, 5);
    let base = logits(&model, None, &ids);
    for (name, config) in methods() {
        let adapter = Adapter::init(&model, &config, 3).unwrap();
        let found = logits(&model, Some(&adapter), &ids);
        let largest = base.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for (a, b) in found.iter().zip(&base) {
            assert!((a - b).abs() <= 1e-5 * largest, "{name}: {a} {b}");
        }
    }
}

#[test]
fn a_merged_model_is_the_base_with_its_adapter() {
    let model = model();
    let ids = crate::testing::random_ids(13, 9, 5);
    for (name, config) in methods() {
        let adapter = random_adapter(&model, &config, 4);
        let expected = logits(&model, Some(&adapter), &ids);
        let merged = logits(&adapter.merge_into(&model).unwrap(), None, &ids);
        let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for (a, b) in merged.iter().zip(&expected) {
            assert!((a - b).abs() <= 2e-5 * largest, "{name}: {a} {b}");
        }
        let base = logits(&model, None, &ids);
        assert!(base.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 0.01 * largest), "{name} changes nothing");
    }
}

#[test]
fn every_method_survives_its_file() {
    let model = model();
    let ids = crate::testing::random_ids(13, 9, 5);
    for (name, config) in methods() {
        let dir = tempfile::tempdir().unwrap();
        let adapter = random_adapter(&model, &config, 4);
        adapter.save(dir.path(), "pico", &Map::new()).unwrap();
        let loaded = Adapter::load(dir.path(), &model).unwrap();
        assert_eq!(loaded.config(), adapter.converted().config(), "{name}");
        assert_eq!(loaded.weights.tensors, adapter.converted().weights.tensors, "{name}");
        let [a, b] = [&adapter, &loaded].map(|adapter| logits(&model, Some(adapter), &ids));
        let largest = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 2e-5 * largest), "{name}");
    }
}

#[test]
fn merging_into_a_quantized_base_tells_what_it_loses() {
    let model = model().quantize_nf4(true).unwrap();
    let adapter = random_adapter(&model, &config(), 4);
    let (merged, error) = adapter.merge_into_nf4(&model).unwrap();
    assert!(merged.is_quantized());
    assert!(error.relative > 0.01 && error.relative < 0.15, "{error:?}");
    assert!(error.change > 0.0 && error.max_abs > 0.0 && error.error > 0.0, "{error:?}");
    assert!(!adapter.merge_into(&model).unwrap().is_quantized());
}

#[test]
fn patterns_choose_ranks_alphas_and_layers() {
    let model = model();
    let config = AdapterConfig {
        rank_pattern: vec![("layers.1.self_attn.q_proj".to_owned(), 3), ("q_.*".to_owned(), 4)],
        alpha_pattern: vec![("v_proj".to_owned(), 8.0)],
        ..config()
    };
    let adapter = Adapter::init(&model, &config, 1).unwrap();
    let rank = |id: usize| match &adapter.weights.slots[id] {
        Some(SlotLayout::LowRank { a, .. }) => adapter.weights.tensors[*a].shape[0],
        other => panic!("{other:?}"),
    };
    // Modules 0 and 7 are q, 2 and 9 are v.
    assert_eq!([rank(0), rank(2), rank(7), rank(9)], [4, 2, 3, 2]);
    assert_eq!([scaling(&adapter, 0), scaling(&adapter, 2), scaling(&adapter, 7)], [1.0, 4.0, 4.0 / 3.0]);
    let one_layer = Adapter::init(&model, &AdapterConfig { layers: vec![1], ..self::config() }, 1).unwrap();
    let adapted: Vec<usize> = (0..14).filter(|&id| one_layer.weights.slots[id].is_some()).collect();
    assert_eq!(adapted, [7, 9]);
    let regex = AdapterConfig {
        target_regex: Some(r"model\.layers\.\d+\.mlp\..*_proj".to_owned()),
        target_modules: Vec::new(),
        exclude_modules: names(&["0.mlp.up_proj"]),
        ..self::config()
    };
    let adapter = Adapter::init(&model, &regex, 1).unwrap();
    let adapted: Vec<usize> = (0..14).filter(|&id| adapter.weights.slots[id].is_some()).collect();
    assert_eq!(adapted, [4, 6, 11, 12, 13]);
}

#[test]
fn round_trip_keeps_everything_and_bytes_are_deterministic() {
    let model = model();
    let adapter = random_adapter(&model, &config(), 4);
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    adapter.save(first.path(), "pico", &extra()).unwrap();
    let loaded = Adapter::load(first.path(), &model).unwrap();
    assert_eq!(loaded.weights.tensors, adapter.weights.tensors);
    assert_eq!(loaded.config().target_modules, ["q_proj", "v_proj"]);
    loaded.save(second.path(), "pico", &extra()).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors", "luthier.json"] {
        let read = |dir: &Path| std::fs::read(dir.join(name)).unwrap();
        assert_eq!(read(first.path()), read(second.path()), "{name}");
    }
    assert_eq!(Adapter::read_extra(first.path()).unwrap(), extra());
    loaded.save(second.path(), "pico", &Map::new()).unwrap();
    assert!(Adapter::read_extra(second.path()).unwrap().is_empty());
}

#[test]
fn the_config_file_has_every_key_that_peft_writes() {
    let dir = tempfile::tempdir().unwrap();
    Adapter::init(&model(), &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
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
    Adapter::init(&model, &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
    edit_config(dir.path(), "use_rslora", json!(true));
    assert_eq!(scaling(&Adapter::load(dir.path(), &model).unwrap(), 0), 4.0 / 2f64.sqrt());
}

#[test]
fn what_is_not_implemented_is_refused_by_key() {
    let (model, dir) = (model(), tempfile::tempdir().unwrap());
    let cases = [
        ("lora_bias", json!(true)),
        ("target_parameters", json!(["experts.gate"])),
        ("trainable_token_indices", json!([1])),
        ("layer_replication", json!([[0, 1]])),
        ("init_lora_weights", json!("olora")),
        ("bias", json!("some")),
        ("peft_type", json!("VERA")),
        ("rank_pattern", json!({"(": 4})),
        ("r", json!(0)),
    ];
    for (key, value) in cases {
        Adapter::init(&model, &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
        edit_config(dir.path(), key, value);
        let error = Adapter::load(dir.path(), &model).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn mismatches_are_named() {
    let (model, dir) = (model(), tempfile::tempdir().unwrap());
    Adapter::init(&model, &config(), 1).unwrap().save(dir.path(), "pico", &Map::new()).unwrap();
    edit_config(dir.path(), "r", json!(3));
    match Adapter::load(dir.path(), &model).unwrap_err() {
        Error::WrongShape { expected, found, .. } => assert_eq!((expected[0], found[0]), (3, 2)),
        other => panic!("{other}"),
    }
    edit_config(dir.path(), "r", json!(2));
    edit_config(dir.path(), "target_modules", json!(["q_proj", "v_proj", "k_proj"]));
    assert!(matches!(Adapter::load(dir.path(), &model), Err(Error::MissingTensor { .. })));
    edit_config(dir.path(), "target_modules", json!(["q_proj"]));
    assert!(matches!(Adapter::load(dir.path(), &model), Err(Error::UnexpectedTensor { .. })));
    edit_config(dir.path(), "target_modules", json!(["query"]));
    assert!(matches!(Adapter::load(dir.path(), &model), Err(Error::UnknownModule { .. })));
    assert!(matches!(Adapter::load(Path::new("/nonexistent"), &model), Err(Error::Io { .. })));
}

#[test]
fn settings_out_of_range_are_named() {
    let check = |config: AdapterConfig, what: &str| {
        let error = Adapter::init(&model(), &config, 1).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    check(AdapterConfig { r: 0, ..config() }, "r is 0");
    check(AdapterConfig { alpha: 0.0, ..config() }, "alpha is 0");
    check(AdapterConfig { dropout: 1.0, ..config() }, "dropout is 1");
    check(AdapterConfig { target_modules: vec![], ..config() }, "target_modules");
    check(AdapterConfig { target_modules: names(&["fc"]), ..config() }, "`fc`");
    check(AdapterConfig { modules_to_save: names(&["score"]), ..config() }, "`score`");
    check(AdapterConfig { rank_pattern: vec![("k_proj".to_owned(), 4)], ..config() }, "k_proj");
    check(AdapterConfig { layers: vec![2], ..config() }, "layers is 2");
    check(AdapterConfig { target_regex: Some("q_proj".to_owned()), target_modules: vec![], ..config() }, "q_proj");
    check(AdapterConfig { init: LoraInit::Pissa, r: 9, ..config() }, "at most 8");
    check(AdapterConfig { init: LoraInit::Pissa, use_dora: true, ..config() }, "use_dora");
    check(AdapterConfig { kind: AdapterKind::Ia3, ..config() }, "dropout");
    let quantized = model().quantize_nf4(true).unwrap();
    let pissa = AdapterConfig { init: LoraInit::Pissa, ..config() };
    assert!(Adapter::init(&quantized, &pissa, 1).unwrap_err().to_string().contains("quantized"));
    let saved = AdapterConfig { modules_to_save: names(&["k_proj"]), ..config() };
    assert!(Adapter::init(&quantized, &saved, 1).unwrap_err().to_string().contains("k_proj"));
}

/// The merged weights of all modules, in one vector.
fn updates(adapter: &Adapter, model: &Model) -> Vec<f32> {
    let paths = model.weights().layout.modules.iter().map(|module| module.path.clone());
    paths.flat_map(|path| adapter.merged(model, &path).unwrap()).collect()
}

#[test]
fn a_combination_is_the_weighted_sum_of_the_updates() {
    let model = model();
    let plain = AdapterConfig { dropout: 0.0, ..config() };
    let a = random_adapter(&model, &plain, 4);
    let other =
        AdapterConfig { r: 3, use_rslora: true, target_modules: names(&["q_proj", "up_proj"]), ..plain.clone() };
    let b = random_adapter(&model, &other, 5);
    let c = random_adapter(&model, &AdapterConfig { init: LoraInit::Pissa, ..plain.clone() }, 6);
    let base: Vec<f32> =
        model.weights().layout.modules.iter().flat_map(|m| model.weights().values(m.weight).to_vec()).collect();
    let cat = Adapter::combine(&model, &[(&a, 0.5), (&b, -0.25), (&c, 2.0)], Combination::Cat).unwrap();
    let [ua, ub, uc, found] = [&a, &b, &c, &cat].map(|adapter| updates(adapter, &model));
    for i in 0..base.len() {
        let expected = base[i] + 0.5 * (ua[i] - base[i]) - 0.25 * (ub[i] - base[i]) + 2.0 * (uc[i] - base[i]);
        assert!((found[i] - expected).abs() < 2e-5, "{i}: {} {expected}", found[i]);
    }
    assert_eq!((cat.config().r, cat.config().alpha), (2 + 3 + 4, 9.0));
    assert_eq!(cat.config().target_modules, ["q_proj", "v_proj", "up_proj"]);

    // One part alone is itself; a negative weight subtracts.
    let same = Adapter::combine(&model, &[(&a, -1.0)], Combination::Cat).unwrap();
    let found = updates(&same, &model);
    assert!((0..base.len()).all(|i| (found[i] - (2.0 * base[i] - ua[i])).abs() < 1e-5));
    let error = Adapter::combine(&model, &[(&a, 1.0), (&b, 1.0)], Combination::Linear).unwrap_err().to_string();
    assert!(error.contains("r is [2, 3]"), "{error}");
    let dora = random_adapter(&model, &AdapterConfig { use_dora: true, ..plain.clone() }, 7);
    assert!(Adapter::combine(&model, &[(&a, 1.0), (&dora, 1.0)], Combination::Cat).is_err());
    let dir = tempfile::tempdir().unwrap();
    cat.save(dir.path(), "pico", &Map::new()).unwrap();
    let loaded = Adapter::load(dir.path(), &model).unwrap();
    assert_eq!(loaded.weights.tensors, cat.weights.tensors);
}
