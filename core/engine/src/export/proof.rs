//! The exported files against base + adapter: how far apart their predictions are, and how far they
//! may be.

use luthier_model::gguf::Quant;
use luthier_model::{Adapter, Fidelity, Model, SaveDtype, logits};
use luthier_protocol::Event;
use luthier_protocol::response::Proof;

use super::{Format, HeldOut};
use crate::Error;
use crate::models::Opened;
use crate::service::Context;

/// What a format may lose: `|Δlogit|` relative to the largest logit, and the mean divergence in nats.
///
/// f32 sums in another order (1e-4, as the comparison with PEFT has); bf16 rounds each weight by
/// 2^-9, f16 by 2^-12, Q8_0 by 1/256 and Q4_K by about 1/30 of its block's largest, and a network of
/// some dozen layers multiplies that by about ten.
fn limits(format: Format) -> (f64, f64) {
    match format {
        Format::Peft => (1e-5, 1e-7),
        Format::Safetensors(SaveDtype::F32) | Format::Gguf(Quant::F32) => (1e-3, 1e-5),
        Format::Safetensors(SaveDtype::F16) | Format::Gguf(Quant::F16) => (4e-2, 5e-3),
        Format::Safetensors(SaveDtype::Bf16) | Format::Gguf(Quant::Bf16) => (0.15, 3e-2),
        Format::Gguf(Quant::Q8_0) => (0.25, 5e-2),
        Format::Gguf(Quant::Q4KM) => (1.5, 0.5),
    }
}

/// Compare `model` with `adapter` (as loaded from the export) with what was opened.
pub(crate) fn prove(
    context: Context<'_>,
    opened: &Opened,
    held_out: &HeldOut,
    format: Format,
    model: &Model,
    adapter: Option<&Adapter>,
) -> Result<Proof, Error> {
    let vocab_size = opened.base.model.config().vocab_size;
    if model.config().vocab_size != vocab_size {
        let expected = vocab_size.to_string();
        return Err(Error::invalid("the exported vocabulary", model.config().vocab_size, &expected));
    }
    let (mut fidelity, mut effect) = (Fidelity::new(vocab_size), Fidelity::new(vocab_size));
    let total = held_out.sequences.len() as u64;
    for (done, ids) in (1..).zip(&held_out.sequences) {
        let reference = logits(&opened.base.model, opened.adapter.as_deref(), ids, context.cancel())?;
        fidelity.add(&reference, &logits(model, adapter, ids, context.cancel())?);
        if opened.adapter.is_some() {
            effect.add(&reference, &logits(&opened.base.model, None, ids, context.cancel())?);
        }
        context.call.event(Event::Progress { stage: "compare".into(), done, total: Some(total) });
    }
    let (relative, mean_kl_limit) = limits(format);
    let proof = Proof {
        prompts: held_out.source.clone(),
        n_prompts: total,
        n_positions: fidelity.n_positions,
        max_difference: fidelity.max_difference,
        max_difference_limit: relative * fidelity.max_logit.max(1.0),
        max_logit: fidelity.max_logit,
        mean_kl: fidelity.mean_kl(),
        mean_kl_limit,
        top1_agreement: fidelity.top1_agreement(),
        adapter_kl: opened.adapter.is_some().then(|| effect.mean_kl()),
    };
    judge(proof, format)
}

/// A format may keep the model and lose the adapter.
pub(super) fn warning(proof: &Proof, format: Format) -> Option<String> {
    let effect = proof.adapter_kl.filter(|effect| proof.mean_kl > 0.5 * effect)?;
    Some(format!(
        "{} loses {:.1e} nats, the adapter changes {effect:.1e}: much of the adapter may be gone; use more bits",
        format.dtype(),
        proof.mean_kl
    ))
}

/// The proof, unless it proves the opposite.
fn judge(proof: Proof, format: Format) -> Result<Proof, Error> {
    let is_good = proof.max_difference <= proof.max_difference_limit && proof.mean_kl <= proof.mean_kl_limit;
    match is_good {
        true => Ok(proof),
        false => Err(Error::NotTheSame { format: format.name(), dtype: format.dtype(), proof: Box::new(proof) }),
    }
}

#[cfg(test)]
mod tests;
