//! Exported, pushed and pulled models.

use luthier_protocol::response::{Exported, Proof, Pulled, Pushed};

use super::{MimeBundle, finetune::with_warnings, lists::facts, number, text};

/// `%export` and `%merge`.
pub fn exported(exported: &Exported) -> MimeBundle {
    let title = match &exported.name {
        Some(name) => format!("{} is merged as {name}", exported.source),
        None => format!("{} is exported", exported.source),
    };
    let file = |(name, bytes): &(String, u64)| format!("{name} ({})", number::bytes(*bytes));
    let rows = [
        ("format", format!("{} {}", exported.format, exported.dtype)),
        ("directory", text::short_path(&exported.dir)),
        ("files", exported.files.iter().map(file).collect::<Vec<_>>().join(", ")),
    ];
    with_warnings(facts(&title, rows.into_iter().chain(proof(&exported.proof))), &exported.warnings)
}

/// The comparison with base + adapter.
fn proof(proof: &Proof) -> [(&'static str, String); 5] {
    [
        ("compared on", format!("{} tokens of {}", number::count(proof.n_positions), proof.prompts)),
        (
            "max |Δlogit|",
            format!(
                "{:.2e} of {:.1} (limit {:.1e})",
                proof.max_difference, proof.max_logit, proof.max_difference_limit
            ),
        ),
        ("divergence", format!("{:.2e} nats (limit {:.0e})", proof.mean_kl, proof.mean_kl_limit)),
        ("adapter's effect", proof.adapter_kl.map(|kl| format!("{kl:.2e} nats")).unwrap_or_default()),
        ("same top token", format!("{:.1} %", 100.0 * proof.top1_agreement)),
    ]
}

/// `%push`.
pub fn pushed(pushed: &Pushed) -> MimeBundle {
    facts(
        &format!("{} has a new commit", pushed.repository),
        [
            ("commit", pushed.commit.clone()),
            ("page", pushed.url.clone()),
            ("files", pushed.files.join(", ")),
            ("size", format!("{}, {} sent", number::bytes(pushed.n_bytes), number::bytes(pushed.n_sent_bytes))),
        ],
    )
}

/// `%pull`.
pub fn pulled(pulled: &Pulled) -> MimeBundle {
    facts(
        &format!("{} {} is here", pulled.kind, pulled.name),
        [
            ("repository", pulled.repository.clone()),
            ("commit", pulled.commit.clone()),
            ("rows", pulled.n_rows.map(number::count).unwrap_or_default()),
            ("directory", text::short_path(&pulled.dir)),
        ],
    )
}
