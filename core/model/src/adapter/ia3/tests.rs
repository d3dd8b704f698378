//! IA3's default modules and vectors.

use crate::testing::{randomized, tiny_config};
use crate::{Adapter, AdapterConfig, AdapterKind, Model};

#[test]
fn keys_values_and_the_feed_forward_input_are_scaled_from_one() {
    let model = randomized(Model::init(tiny_config(), 1), 2);
    let config = AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..AdapterConfig::default() };
    let adapter = Adapter::init(&model, &config, 3).unwrap();
    assert_eq!(adapter.config().target_modules, ["k_proj", "v_proj", "down_proj"]);
    assert_eq!(adapter.config().feedforward_modules, ["down_proj"]);
    let tensors = &adapter.weights.tensors;
    let shapes: Vec<&[usize]> = tensors.iter().map(|tensor| tensor.shape.as_slice()).collect();
    assert_eq!(shapes[..3], [&[8, 1][..], &[8, 1], &[1, 12]]);
    assert_eq!(tensors[2].name, "base_model.model.model.layers.0.mlp.down_proj.ia3_l");
    assert!(tensors.iter().all(|tensor| tensor.values.as_slice().iter().all(|&x| x == 1.0)));
}
