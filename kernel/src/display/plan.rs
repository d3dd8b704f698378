//! What a training run will need.

use luthier_protocol::response::TrainingPlan;

use super::{MimeBundle, lists::facts, number};

/// The result of `%%plan`.
pub fn plan(plan: &TrainingPlan) -> MimeBundle {
    let verdict = match plan.fits {
        true => "fits",
        false => "does not fit",
    };
    let parts: Vec<String> =
        plan.parts.iter().map(|part| format!("{} {}", part.name, number::bytes(part.bytes))).collect();
    let largest = match plan.largest_batch_size {
        0 => "not even one of the longest example fits".to_owned(),
        n => format!(
            "{} of the longest example; at the recipe's batch size up to {} tokens each",
            number::count(n),
            number::count(plan.largest_seq_len)
        ),
    };
    facts(
        &format!("plan for {}", plan.model),
        [
            (
                "memory",
                format!(
                    "{} at the peak of {}: {verdict}",
                    number::bytes(plan.peak_bytes),
                    number::bytes(plan.available_bytes)
                ),
            ),
            ("of which", parts.join(", ")),
            ("largest batch", largest),
            (
                "time",
                format!(
                    "about {} for {} steps; {} for the largest micro-batch ({} tokens), {} for a block of it",
                    number::seconds(plan.seconds),
                    number::count(plan.total_steps),
                    number::seconds(plan.seconds_per_batch),
                    number::count(plan.batch_tokens),
                    number::seconds(plan.seconds_per_block)
                ),
            ),
            (
                "trained",
                format!(
                    "{} of {} parameters on {} examples, the longest of {} tokens",
                    number::count(plan.n_trainable),
                    number::count(plan.n_parameters),
                    number::count(plan.n_examples),
                    number::count(plan.longest_tokens)
                ),
            ),
        ],
    )
}
