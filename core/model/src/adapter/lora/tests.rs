//! Initial values of low-rank pairs and magnitudes.

use crate::testing::{randomized, tiny_config};
use crate::{Adapter, AdapterConfig, Model};

#[test]
fn magnitudes_start_as_the_norms_of_the_rows() {
    let model = randomized(Model::init(tiny_config(), 1), 2);
    let config =
        AdapterConfig { use_dora: true, target_modules: vec!["k_proj".to_owned()], ..AdapterConfig::default() };
    let adapter = Adapter::init(&model, &config, 3).unwrap();
    let magnitude = &adapter.weights.tensors[2];
    assert_eq!(magnitude.name, "base_model.model.model.layers.0.self_attn.k_proj.lora_magnitude_vector");
    let layout = &model.weights().layout;
    // Module 1 is the first k_proj.
    let weight = model.weights().values(layout.modules[1].weight);
    for (m, row) in magnitude.values.as_slice().iter().zip(weight.chunks(8)) {
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((m - norm).abs() < 1e-6 * norm, "{m} {norm}");
    }
}

#[test]
fn the_seed_decides_the_values() {
    let model = Model::init(tiny_config(), 1);
    let tensors = |seed| Adapter::init(&model, &AdapterConfig::default(), seed).unwrap().weights.tensors.clone();
    assert_eq!(tensors(1), tensors(1));
    assert_ne!(tensors(1), tensors(2));
}
