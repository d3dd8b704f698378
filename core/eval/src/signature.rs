//! The signature of a number: everything that it depends on, and a short hash of all that to print
//! beside it. Two scores may be compared when their signatures differ only in what is compared.

use luthier_protocol::response::Signature;
use sha2::{Digest, Sha256};

use crate::metric::MetricDescriptor;

/// Hexadecimal digits of an id: 48 bits, enough to tell the scores of a project apart.
const ID_DIGITS: usize = 12;

/// `base` (what the engine knows: data, prompts, weights, generation) completed by the metric, with
/// its id. A metric without a digest is a client's own closure: *local*, outside the sandbox.
pub fn sign(base: &Signature, metric: &MetricDescriptor) -> Signature {
    let local = metric.digest.is_empty();
    let origin = if local { "local" } else { metric.digest.as_str() };
    let plugin = format!("{} {} {origin}", metric.id, metric.version);
    let signed = Signature { id: String::new(), plugin, local, ..base.clone() };
    Signature { id: id(&signed), ..signed }
}

fn id(signature: &Signature) -> String {
    // Named one by one: a field added to the type and forgotten here does not compile.
    let Signature {
        id: _,
        data,
        prompt_template,
        plugin,
        weights,
        adapter,
        tokenizer,
        generation,
        num_fewshot,
        seed,
        engine,
        local,
    } = signature;
    let fields = [
        ("data", data.clone()),
        ("prompt_template", prompt_template.clone()),
        ("plugin", plugin.clone()),
        ("weights", weights.clone()),
        ("adapter", adapter.clone()),
        ("tokenizer", tokenizer.clone()),
        ("generation", generation.clone()),
        ("num_fewshot", num_fewshot.to_string()),
        ("seed", seed.to_string()),
        ("engine", engine.clone()),
        ("local", local.to_string()),
    ];
    let mut hasher = Sha256::new();
    for (name, value) in fields {
        // Lengths in front: no value can pass for the end of one field and the start of the next.
        hasher.update(format!("{name} {}\n{value}\n", value.len()));
    }
    let mut digits = format!("{:x}", hasher.finalize());
    digits.truncate(ID_DIGITS);
    digits
}

#[cfg(test)]
mod tests;
