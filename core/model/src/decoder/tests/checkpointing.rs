//! Gradient checkpointing changes memory and time, and no bit.

use super::*;
use crate::ModelConfig;
use std::path::Path;

/// Losses and gradients of two sequences, with dropout and noise.
fn bits(mut trainable: TrainableModel, on: bool) -> (u64, Vec<Vec<u32>>) {
    match &mut trainable {
        TrainableModel::Adapter { base, .. } => base.set_gradient_checkpointing(on),
        TrainableModel::Full { model } => model.set_gradient_checkpointing(on),
    }
    let batch = random_batch(trainable.model().config().vocab_size, &[19, 6], 23);
    let sizes = (0..trainable.parameters().len()).map(|i| trainable.values(i).len());
    let mut gradients: Vec<Vec<f32>> = sizes.map(|n| vec![0.0; n]).collect();
    let key = Some(DropoutKey { seed: 8, step: 9, micro: 10, neftune_alpha: 5.0 });
    let loss = trainable.accumulate_gradients(&batch, 0.5, key, &mut gradients, &NEVER).unwrap();
    let bits = gradients.iter().map(|gradient| gradient.iter().map(|x| x.to_bits()).collect()).collect();
    (loss.nll_sum.to_bits(), bits)
}

fn check_bits(name: &str, make: impl Fn() -> TrainableModel) {
    let (without, with) = (bits(make(), false), bits(make(), true));
    assert!(without.1.iter().flatten().any(|&bits| bits != 0), "{name}: no gradient");
    assert!(without == with, "{name}: checkpointing changed bits");
}

#[test]
fn checkpointing_has_the_same_bits_for_every_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/architectures");
    for name in crate::architecture_tests::ALL {
        let text = std::fs::read_to_string(root.join(name).join("config.json")).unwrap();
        let config = ModelConfig::from_json(&text).unwrap();
        check_bits(name, || TrainableModel::Full { model: randomized(Model::init(config.clone(), 21), 22) });
    }
}

#[test]
fn checkpointing_has_the_same_bits_for_every_method() {
    let lora = AdapterConfig { dropout: 0.3, ..lora() };
    let ia3 = AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..AdapterConfig::default() };
    let methods = [
        ("lora", lora.clone(), false),
        ("qlora", lora.clone(), true),
        ("dora", AdapterConfig { use_dora: true, ..lora.clone() }, false),
        ("pissa", AdapterConfig { init: LoraInit::Pissa, ..lora.clone() }, false),
        ("ia3", ia3, false),
        ("biases", AdapterConfig { bias: Bias::All, ..lora }, false),
    ];
    for (name, config, nf4) in methods {
        let base = if nf4 { adapted_model().quantize_nf4(true).unwrap() } else { adapted_model() };
        let adapter = random_adapter(&base, &config, 6);
        check_bits(name, || TrainableModel::Adapter { base: base.clone(), adapter: adapter.clone() });
    }
}
