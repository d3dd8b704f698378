//! Round trips and hostile files.

use super::*;
use crate::testing::{randomized, tiny_config};
use std::path::PathBuf;

fn model() -> Model {
    randomized(Model::init(tiny_config(), 1), 2)
}

/// A saved model whose files a test may damage.
fn saved() -> (tempfile::TempDir, PathBuf, Model) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = tiny_config();
    // As config.json can say it.
    config.sliding_window = vec![None; 2];
    let model = randomized(Model::init(config, 1), 2);
    model.save(dir.path(), SaveDtype::F32).unwrap();
    let weights = dir.path().join("model.safetensors");
    (dir, weights, model)
}

/// Rewrites the weights file with other tensors.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<NamedTensor<f32>>)) {
    let (_, _, model) = saved();
    let mut tensors = model.weights().tensors.clone();
    change(&mut tensors);
    serialize(path, &tensors, SaveDtype::F32).unwrap();
}

#[test]
fn f32_round_trip_is_exact() {
    let (dir, _, model) = saved();
    let loaded = Model::load(dir.path()).unwrap();
    assert_eq!(loaded.weights().tensors, model.weights().tensors);
    assert_eq!(loaded.fingerprint(), model.fingerprint());
    assert_eq!(loaded.n_parameters(), model.n_parameters());
    let (a, b) = (loaded.config(), model.config());
    assert_eq!((&a.rope, a.qkv_bias, a.mlp_bias, a.head_dim), (&b.rope, b.qkv_bias, b.mlp_bias, b.head_dim));
}

#[test]
fn bf16_round_trip_rounds_once() {
    let (dir, weights, model) = saved();
    model.save(dir.path(), SaveDtype::Bf16).unwrap();
    let loaded = Model::load(dir.path()).unwrap();
    for (a, b) in loaded.weights().tensors.iter().zip(&model.weights().tensors) {
        for (a, b) in a.values.as_slice().iter().zip(b.values.as_slice()) {
            assert_eq!(*a, half::bf16::from_f32(*b).to_f32());
        }
    }
    let before = std::fs::read(&weights).unwrap();
    loaded.save(dir.path(), SaveDtype::Bf16).unwrap();
    assert_eq!(std::fs::read(&weights).unwrap(), before);
    let config = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
    assert!(config.contains("\"bfloat16\""));
}

#[test]
fn shards_are_found_through_their_index() {
    let (dir, weights, model) = saved();
    let (first, second) = model.weights().tensors.split_at(5);
    serialize(&dir.path().join("a.safetensors"), first, SaveDtype::F32).unwrap();
    serialize(&dir.path().join("b.safetensors"), second, SaveDtype::F32).unwrap();
    std::fs::remove_file(weights).unwrap();
    let entry = |file: &'static str| move |t: &NamedTensor<f32>| (t.name.clone(), file.into());
    let map: serde_json::Map<_, _> =
        first.iter().map(entry("a.safetensors")).chain(second.iter().map(entry("b.safetensors"))).collect();
    let index = dir.path().join("model.safetensors.index.json");
    write_atomic(&index, serde_json::json!({ "weight_map": map }).to_string().as_bytes()).unwrap();
    assert_eq!(Model::load(dir.path()).unwrap().fingerprint(), model.fingerprint());

    write_atomic(&index, br#"{"weight_map": {"x": "../a.safetensors"}}"#).unwrap();
    assert!(matches!(Model::load(dir.path()), Err(Error::Json { .. })));
}

#[test]
fn damaged_files_are_named() {
    let (dir, weights, _) = saved();
    let bytes = std::fs::read(&weights).unwrap();
    // Cut in the data, in the header, to nothing; a header length beyond the file.
    let mut huge = bytes.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for damaged in [&bytes[..bytes.len() - 1], &bytes[..40], &bytes[..3], &[], &huge] {
        write_atomic(&weights, damaged).unwrap();
        let error = Model::load(dir.path()).unwrap_err();
        let is_named = error.to_string().contains("model.safetensors");
        assert!(matches!(error, Error::CorruptWeights { .. } | Error::Io { .. }) && is_named, "{error}");
    }
    std::fs::remove_file(&weights).unwrap();
    assert!(matches!(Model::load(dir.path()), Err(Error::NoWeights { .. })));
    write_atomic(&dir.path().join("config.json"), b"{").unwrap();
    assert!(matches!(Model::load(dir.path()), Err(Error::Json { .. })));
    std::fs::remove_file(dir.path().join("config.json")).unwrap();
    assert!(matches!(Model::load(dir.path()), Err(Error::Io { .. })));
}

#[test]
fn wrong_tensors_are_named() {
    let (dir, weights, _) = saved();
    rewrite(&weights, |tensors| drop(tensors.remove(3)));
    match Model::load(dir.path()).unwrap_err() {
        Error::MissingTensor { tensor, .. } => assert_eq!(tensor, "model.layers.0.self_attn.q_proj.bias"),
        other => panic!("{other}"),
    }
    rewrite(&weights, |tensors| tensors[2].shape.reverse());
    match Model::load(dir.path()).unwrap_err() {
        Error::WrongShape { tensor, expected, found, .. } => {
            assert_eq!(
                (tensor.as_str(), expected, found),
                ("model.layers.0.self_attn.q_proj.weight", vec![16, 8], vec![8, 16])
            );
        }
        other => panic!("{other}"),
    }
    rewrite(&weights, |tensors| tensors.push(NamedTensor { name: "model.extra".into(), ..tensors[1].clone() }));
    match Model::load(dir.path()).unwrap_err() {
        Error::UnexpectedTensor { tensor, .. } => assert_eq!(tensor, "model.extra"),
        other => panic!("{other}"),
    }
    rewrite(&weights, |tensors| {
        let name = "model.layers.0.self_attn.rotary_emb.inv_freq".into();
        tensors.push(NamedTensor { name, ..tensors[1].clone() });
    });
    Model::load(dir.path()).unwrap();
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    let init = |seed| Model::init(tiny_config(), seed).fingerprint();
    assert_eq!(init(1), init(1));
    assert_ne!(init(1), init(2));
}

#[test]
fn a_clone_is_not_changed_by_training_the_other() {
    let mut a = model();
    let b = a.clone();
    let before = b.fingerprint();
    assert_eq!(a.fingerprint(), before);
    a.weights_mut().tensors[0].values.as_mut_slice()[0] += 1.0;
    assert_eq!(b.fingerprint(), before);
    assert_ne!(a.fingerprint(), before);
}

#[test]
fn modules_are_listed() {
    let names = model().module_names();
    assert!(names.contains(&"model.layers.1.mlp.down_proj".to_owned()));
    assert!(names.contains(&"lm_head".to_owned()));
}
