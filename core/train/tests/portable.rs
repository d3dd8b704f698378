//! The same bits with every kind of processor's instructions: training and inference with AVX-512, with AVX2,
//! and with the baseline that fuses in software, in one process.

use std::sync::atomic::AtomicBool;

use luthier_model::{
    Adapter, AdapterConfig, DropoutKey, Instructions, Model, ModelConfig, SequenceBatch, TrainableModel, logits,
};
use luthier_train::adamw::{AdamW, AdamWConfig};

static NEVER: AtomicBool = AtomicBool::new(false);

/// Wide enough for whole tiles of every kernel, narrow and odd ones, and rests.
const CONFIGS: [&str; 3] = [
    r#"{"model_type": "qwen3", "vocab_size": 301, "hidden_size": 96, "intermediate_size": 200, "num_hidden_layers": 2,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 20, "rms_norm_eps": 1e-5,
        "initializer_range": 0.2}"#,
    r#"{"model_type": "gemma2", "vocab_size": 120, "hidden_size": 72, "intermediate_size": 130, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 18, "sliding_window": 32,
        "initializer_range": 0.2}"#,
    r#"{"model_type": "gpt2", "vocab_size": 90, "n_embd": 64, "n_head": 4, "n_layer": 2, "n_positions": 128,
        "activation_function": "gelu", "initializer_range": 0.2}"#,
];

fn batch(vocab_size: usize) -> SequenceBatch {
    let ids = |n: usize, step: usize| -> Vec<u32> { (0..n).map(|i| ((i * step + 7) % vocab_size) as u32).collect() };
    let [a, b] = [ids(83, 31), ids(40, 17)];
    let [la, lb] = [&a, &b].map(|ids| ids.iter().map(|&id| id as i32).collect::<Vec<_>>());
    SequenceBatch::from_sequences([(&a[..], &la[..]), (&b[..], &lb[..])])
}

/// The bits of everything after some steps: weights, losses, logits.
fn bits(trainable: &TrainableModel) -> Vec<u64> {
    let mut trainable = trainable.clone();
    let batch = batch(trainable.model().config().vocab_size);
    let mut gradients: Vec<Vec<f32>> =
        (0..trainable.parameters().len()).map(|i| vec![0.0; trainable.values(i).len()]).collect();
    let config = AdamWConfig { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.01 };
    let mut optimizer = AdamW::new(config, gradients.iter().map(Vec::len));
    let mut all = Vec::new();
    for step in 0..3 {
        gradients.iter_mut().for_each(|gradient| gradient.fill(0.0));
        let key = DropoutKey { seed: 5, step, micro: 0, neftune_alpha: 2.0 };
        let loss = trainable.accumulate_gradients(&batch, 0.01, Some(key), &mut gradients, &NEVER).unwrap();
        all.push(loss.nll_sum.to_bits());
        optimizer.begin_step();
        for (index, gradient) in gradients.iter().enumerate() {
            optimizer.update(index, trainable.values_mut(index), gradient, 1.0, 1e-3, true);
        }
    }
    for index in 0..gradients.len() {
        all.extend(trainable.values(index).iter().map(|x| u64::from(x.to_bits())));
    }
    let ids: Vec<u32> = batch.input_ids[..50].to_vec();
    let found = logits(trainable.model(), trainable.adapter(), &ids, &NEVER).unwrap();
    all.extend(found.iter().map(|x| u64::from(x.to_bits())));
    all
}

fn on(threads: usize, trainable: &TrainableModel) -> Vec<u64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| bits(trainable))
}

fn cases(model: &Model) -> Vec<(&'static str, TrainableModel)> {
    let adapter = |config: AdapterConfig, base: &Model| TrainableModel::Adapter {
        adapter: Adapter::init(base, &config, 3).unwrap(),
        base: base.clone(),
    };
    let lora =
        AdapterConfig { r: 5, dropout: 0.1, target_modules: vec!["all-linear".into()], ..AdapterConfig::default() };
    let dora = AdapterConfig { use_dora: true, ..lora.clone() };
    let quantized = model.quantize_nf4(true).unwrap();
    vec![
        ("lora", adapter(lora.clone(), model)),
        ("dora", adapter(dora, model)),
        ("qlora", adapter(lora, &quantized)),
        ("full", TrainableModel::Full { model: model.clone() }),
    ]
}

/// One test: what it changes holds for the process.
#[test]
fn every_kind_of_instructions_gives_the_same_bits() {
    for (seed, config) in CONFIGS.iter().enumerate() {
        let model = Model::init(ModelConfig::from_json(config).unwrap(), seed as u64);
        for (method, trainable) in cases(&model) {
            Instructions::portable().limit();
            let wanted = on(1, &trainable);
            let what = |kind: &str| format!("{:?}, {method}, {kind}", model.config().architecture);
            assert!(on(3, &trainable) == wanted, "{}", what("three threads"));
            // Fused in software, whatever the processor has.
            Instructions::Fused.limit();
            assert!(on(2, &trainable) == wanted, "{}", what("the baseline"));
            if Instructions::portable() == Instructions::Best {
                Instructions::Avx2.limit();
                assert!(on(1, &trainable) == wanted, "{}", what("AVX2"));
            }
        }
    }
    Instructions::Best.limit();
}

/// What it costs to be told to be portable: run with `--ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn what_software_fusing_costs() {
    let model = Model::init(ModelConfig::from_json(CONFIGS[0]).unwrap(), 0);
    let (_, trainable) = cases(&model).swap_remove(3);
    for kind in [Instructions::Best, Instructions::Avx2, Instructions::Fused] {
        kind.limit();
        on(1, &trainable);
        let start = std::time::Instant::now();
        on(1, &trainable);
        eprintln!("{kind:?}: {:.3} s", start.elapsed().as_secs_f64());
    }
    Instructions::Best.limit();
}
