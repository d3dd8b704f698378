//! The parameter list that optimizers and checkpoints rely on.

use super::*;
use crate::AdapterConfig;
use crate::testing::tiny_config;

fn names(trainable: &TrainableModel) -> Vec<String> {
    trainable.parameters().into_iter().map(|parameter| parameter.name).collect()
}

#[test]
fn full_training_lists_every_tensor_once_in_the_documented_order() {
    let mut config = tiny_config();
    (config.tie_word_embeddings, config.n_layers) = (true, 1);
    (config.qkv_bias, config.o_bias, config.mlp_bias) = (true, false, false);
    let model = Model::init(config, 1);
    let n_parameters = model.n_parameters();
    let trainable = TrainableModel::Full { model };
    let block = "input_layernorm.weight self_attn.q_proj.weight self_attn.q_proj.bias self_attn.k_proj.weight \
        self_attn.k_proj.bias self_attn.v_proj.weight self_attn.v_proj.bias self_attn.o_proj.weight \
        post_attention_layernorm.weight mlp.gate_proj.weight mlp.up_proj.weight mlp.down_proj.weight";
    let mut expected = vec!["model.embed_tokens.weight".to_owned()];
    expected.extend(block.split_whitespace().map(|name| format!("model.layers.0.{name}")));
    expected.push("model.norm.weight".to_owned());
    assert_eq!(names(&trainable), expected);
    for (i, parameter) in trainable.parameters().iter().enumerate() {
        assert_eq!(parameter.decay, !parameter.name.contains("norm") && !parameter.name.ends_with("bias"));
        assert_eq!(parameter.shape.iter().product::<usize>(), trainable.values(i).len());
    }
    let n_values: usize = (0..expected.len()).map(|i| trainable.values(i).len()).sum();
    assert_eq!(n_values as u64, n_parameters);
}

#[test]
fn an_adapter_lists_a_then_b_and_leaves_the_base_alone() {
    let base = Model::init(tiny_config(), 1);
    let before = base.fingerprint();
    let config = AdapterConfig { target_modules: vec!["o_proj".to_owned()], ..AdapterConfig::default() };
    let adapter = Adapter::init(&base, &config, 2).unwrap();
    let mut trainable = TrainableModel::Adapter { base, adapter: adapter.clone() };
    let path = |layer: usize, matrix: &str| {
        format!("base_model.model.model.layers.{layer}.self_attn.o_proj.lora_{matrix}.weight")
    };
    assert_eq!(names(&trainable), [path(0, "A"), path(0, "B"), path(1, "A"), path(1, "B")]);
    trainable.values_mut(1)[0] = 5.0;
    assert_eq!(trainable.values(1)[0], 5.0);
    assert_eq!(adapter.weights.tensors[1].values.as_slice()[0], 0.0, "a clone keeps its values");
    assert_eq!(trainable.model().fingerprint(), before);
}
