//! A finished training run.

use luthier_protocol::response::Finetuned;

use super::{MimeBundle, chart, html, lists::facts, number, text};

/// The result of `%%finetune`, `%resume` and `%follow`.
pub fn report(report: &Finetuned) -> MimeBundle {
    let losses: Vec<f64> = report.losses.iter().map(|(_, loss)| *loss).collect();
    let first = losses.first().map(|loss| format!("{} → ", number::loss(*loss))).unwrap_or_default();
    let bundle = facts(
        &format!("{} is trained", report.name),
        [
            ("loss", format!("{first}{}  {}", number::loss(report.final_loss), chart::sparkline(&losses, 40))),
            ("steps", format!("{} in {}", number::count(report.steps), number::seconds(report.seconds))),
            (
                "trained",
                format!(
                    "{} parameters on {} examples ({} tokens)",
                    number::count(report.n_trainable),
                    number::count(report.n_examples),
                    number::count(report.n_target_tokens)
                ),
            ),
            ("speed", format!("{} tokens/s", number::count(report.tokens_per_second.max(0.0) as u64))),
            ("adapter", text::short_path(&report.adapter_dir)),
            ("run", report.run.clone()),
        ],
    );
    with_warnings(bundle, &report.warnings)
}

fn with_warnings(bundle: MimeBundle, warnings: &[String]) -> MimeBundle {
    if warnings.is_empty() {
        return bundle;
    }
    let mut plain = bundle.plain().to_owned();
    let mut rich = bundle.data().get("text/html").and_then(|html| html.as_str()).unwrap_or_default().to_owned();
    for warning in warnings {
        plain.push_str(&format!("\nwarning: {}", text::clean(warning)));
        rich.push_str(&html::warning(warning));
    }
    MimeBundle::text(plain).html(rich)
}
