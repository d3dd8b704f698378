//! LoRA on the two matrices outside the blocks: the embedding, and the head even if it is the embedding's
//! tensor (then the one is adapted without the other, as PEFT does it).

use super::config::{AdapterConfig, AdapterKind, LoraInit, invalid};
use super::{AdapterWeights, INIT_STREAM};
use crate::layout::Layout;
use crate::ops::ends::Pair;
use crate::real::Real;
use crate::rng::CounterRng;
use crate::{Model, Result};

/// Names that a head has in checkpoints and in transformers, of which PEFT's files have the latter.
const HEADS: [&str; 2] = ["lm_head", "embed_out"];

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Embedding,
    Head,
}

/// An end that an adapter is put on.
pub(super) struct EndTarget {
    pub(super) end: End,
    /// Its module's path, as PEFT's file names it.
    pub(super) path: String,
    pub(super) r: usize,
    pub(super) scaling: f64,
}

/// The tensors on an end, by their index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndLayout {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) scaling: f64,
}

/// The tensors on both.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EndSlots {
    pub(crate) embedding: Option<EndLayout>,
    pub(crate) head: Option<EndLayout>,
}

/// Paths that an end may be named by.
pub(super) fn paths(model: &Model) -> Vec<(End, String)> {
    let weights = model.weights();
    let Layout { embedding, .. } = weights.layout;
    let own = weights.tensors[embedding].name.strip_suffix(".weight").map(|path| (End::Embedding, path.to_owned()));
    own.into_iter().chain(HEADS.map(|path| (End::Head, path.to_owned()))).collect()
}

/// Refuses the methods that only modules of blocks have.
pub(super) fn check(config: &AdapterConfig, targets: &[EndTarget]) -> Result<()> {
    let Some(target) = targets.first() else { return Ok(()) };
    let refuse = |method: &str| {
        let expected = format!("modules of the blocks: {method} is not on embeddings and heads (LoRA and rsLoRA are)");
        invalid("target_modules", &expected, &target.path)
    };
    match config {
        AdapterConfig { kind: AdapterKind::Ia3, .. } => refuse("IA3"),
        AdapterConfig { use_dora: true, .. } => refuse("DoRA"),
        AdapterConfig { init: LoraInit::Pissa, .. } => refuse("PiSSA"),
        _ => Ok(()),
    }
}

/// The size of an end's input and output.
pub(super) fn sizes(end: End, model: &Model) -> [usize; 2] {
    let (vocab_size, hidden) = (model.config().vocab_size, model.config().hidden_size);
    match end {
        End::Embedding => [vocab_size, hidden],
        End::Head => [hidden, vocab_size],
    }
}

impl<T: Real> AdapterWeights<T> {
    /// Tensors of zeros for the targets.
    pub(super) fn add_ends(&mut self, model: &Model, targets: &[EndTarget]) {
        for target in targets {
            let [in_size, out_size] = sizes(target.end, model);
            let [a, b] = match target.end {
                End::Embedding => ["lora_embedding_A", "lora_embedding_B"],
                End::Head => ["lora_A.weight", "lora_B.weight"],
            };
            let name = |tensor: &str| format!("base_model.model.{}.{tensor}", target.path);
            let a = self.push(name(a), vec![target.r, in_size]);
            let b = self.push(name(b), vec![out_size, target.r]);
            let slot = Some(EndLayout { a, b, scaling: target.scaling });
            match target.end {
                End::Embedding => self.ends.embedding = slot,
                End::Head => self.ends.head = slot,
            }
        }
    }

    /// The matrices on an end.
    pub(crate) fn pair(&self, end: Option<EndLayout>) -> Option<Pair<'_, T>> {
        end.map(|EndLayout { a, b, scaling }| Pair {
            r: self.tensors[a].shape[0],
            scaling: T::from_f64(scaling),
            a: self.values(a),
            b: self.values(b),
        })
    }
}

/// As PEFT: of an embedding A zero and B normal, of a head A uniform in `±1/sqrt(in)` and B zero.
pub(super) fn init(weights: &mut AdapterWeights<f32>, seed: u64) {
    let rng = |stream: u64| CounterRng::new(seed, INIT_STREAM).fork(u64::MAX - stream);
    if let Some(EndLayout { b, .. }) = weights.ends.embedding {
        let normal = weights.values_mut(b).iter_mut().enumerate();
        normal.for_each(|(i, value)| *value = rng(0).normal_at(i as u64) as f32);
    }
    if let Some(EndLayout { a, .. }) = weights.ends.head {
        let bound = 1.0 / (weights.tensors[a].shape[1] as f64).sqrt();
        let uniform = weights.values_mut(a).iter_mut().enumerate();
        uniform.for_each(|(i, value)| *value = ((2.0 * rng(1).uniform_at(i as u64) - 1.0) * bound) as f32);
    }
}

/// `W + s B A` of both ends of `merged`, each `[vocab, hidden]`. They are two tensors.
pub(super) fn merge(own: &AdapterWeights<f32>, layout: &Layout, merged: &mut crate::weights::Weights<f32>) {
    let ends = [(layout.embedding, own.ends.embedding, End::Embedding), (layout.head, own.ends.head, End::Head)];
    for (tensor, slot, end) in ends {
        let Some(pair) = own.pair(slot) else { continue };
        let values = merged.tensors[tensor].values.as_mut_slice();
        let hidden = if end == End::Head { pair.a.len() } else { pair.b.len() } / pair.r;
        let vocab_size = values.len() / hidden;
        for (id, row) in values.chunks_mut(hidden).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let term = |k: usize| match end {
                    End::Embedding => pair.b[j * pair.r + k] * pair.a[k * vocab_size + id],
                    End::Head => pair.b[id * pair.r + k] * pair.a[k * hidden + j],
                };
                *value += pair.scaling * (0..pair.r).map(term).sum::<f32>();
            }
        }
    }
}
