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
            ("evaluation", evaluation(report)),
            ("steps", steps(report)),
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

/// Evaluation losses, and which of them the weights are of. Empty without evaluations.
fn evaluation(report: &Finetuned) -> String {
    let losses: Vec<f64> = report.eval_losses.iter().map(|(_, loss)| *loss).collect();
    let (Some(first), Some(last)) = (losses.first(), losses.last()) else { return String::new() };
    let best = match report.best_step {
        Some(step) => format!("  (weights of step {}, the best)", number::count(step)),
        None => String::new(),
    };
    let curve = chart::sparkline(&losses, 40);
    format!("{} → {}  {curve}{best}", number::loss(*first), number::loss(*last))
}

fn steps(report: &Finetuned) -> String {
    let early = if report.stopped_early { ", stopped early" } else { "" };
    format!("{} in {}{early}", number::count(report.steps), number::seconds(report.seconds))
}

pub(super) fn with_warnings(bundle: MimeBundle, warnings: &[String]) -> MimeBundle {
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
