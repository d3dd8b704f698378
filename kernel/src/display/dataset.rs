//! Datasets: what was imported or made, and what became of every row asked for.

use std::collections::BTreeMap;

use luthier_protocol::response::{Accounting, DatasetInfo};

use super::{MimeBundle, Table, html, lists::titled, number};

/// The result of `%%dataset`.
pub fn summary(dataset: &DatasetInfo) -> MimeBundle {
    let head = format!("{}: {} rows ({})", dataset.name, number::count(dataset.n_rows), splits(dataset));
    let mut facts = vec![format!("from {}", dataset.source)];
    if let Some(template) = &dataset.template {
        facts.push(format!("template {template}"));
    }
    facts.push(format!("fingerprint {}", number::hash(&dataset.fingerprint)));
    let facts = facts.join(" · ");
    let accounting = accounting(&dataset.accounting);
    let sample = sample(dataset);

    let mut plain = format!("{head}\n{facts}");
    let mut rich = format!("{}{}", html::title(&head), html::faint(&facts));
    if let Some(line) = &accounting {
        plain.push_str(&format!("\n{line}"));
        rich.push_str(&html::faint(line));
    }
    for warning in &dataset.warnings {
        plain.push_str(&format!("\nwarning: {}", super::text::clean(warning)));
        rich.push_str(&html::warning(warning));
    }
    if !sample.is_empty() {
        plain.push_str(&format!("\n\n{}", sample.to_text()));
        rich.push_str(&sample.to_html());
    }
    MimeBundle::text(plain).html(rich)
}

/// `%datasets`.
pub fn list(datasets: &[DatasetInfo]) -> MimeBundle {
    let mut table = Table::new(["dataset", "#rows", "splits", "template", "fingerprint", "source"]);
    for dataset in datasets {
        table.row([
            dataset.name.clone(),
            number::count(dataset.n_rows),
            splits(dataset),
            dataset.template.clone().unwrap_or_default(),
            number::hash(&dataset.fingerprint),
            dataset.source.clone(),
        ]);
    }
    titled("Datasets", &table, "No dataset in this project yet; %%dataset NAME makes one.")
}

fn splits(dataset: &DatasetInfo) -> String {
    let splits: Vec<_> = dataset.splits.iter().map(|(name, rows)| format!("{name} {}", number::count(*rows))).collect();
    splits.join(", ")
}

fn sample(dataset: &DatasetInfo) -> Table {
    let mut table = Table::new(dataset.columns.iter().map(|(name, _)| name.as_str()));
    for row in &dataset.sample {
        table.row(row.iter().cloned());
    }
    table
}

/// `4000 asked = 3900 kept + 80 rejected (duplicate 80) + 20 failed (…)`; nothing if all were kept.
fn accounting(accounting: &Accounting) -> Option<String> {
    let rejected: u64 = accounting.rejected.values().sum();
    let failed: u64 = accounting.failed.values().sum();
    if rejected + failed == 0 {
        return None;
    }
    let mut line =
        format!("{} asked for = {} kept", number::count(accounting.requested), number::count(accounting.kept));
    for (name, total, reasons) in [("rejected", rejected, &accounting.rejected), ("failed", failed, &accounting.failed)]
    {
        if total > 0 {
            line.push_str(&format!(" + {} {name} ({})", number::count(total), by_reason(reasons)));
        }
    }
    Some(line)
}

fn by_reason(reasons: &BTreeMap<String, u64>) -> String {
    reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect::<Vec<_>>().join(", ")
}
