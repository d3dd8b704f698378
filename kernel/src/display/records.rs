//! Runs on record: one in full, two side by side.

use luthier_protocol::response::{Difference, RunDetails, RunDiff};

use super::{MimeBundle, Table, html, lists::titled};

/// `%runs show A`.
pub fn details(details: &RunDetails) -> MimeBundle {
    let mut bundles = Vec::new();
    let title = format!("Run {} of {}: {}, started {}", details.run, details.name, details.status, details.started);
    let sections = [
        (title.as_str(), &details.outcome, "There is no result yet."),
        ("Inputs", &details.inputs, "Nothing is on record."),
        ("Environment", &details.environment, "Nothing is on record."),
    ];
    for (title, rows, empty) in sections {
        let mut table = Table::new(["key", "value"]);
        rows.iter().for_each(|(key, value)| table.row([key.clone(), value.clone()]));
        bundles.push(titled(title, &table, &format!("{title}\n\n{empty}")));
    }
    if let Some(metrics) = &details.metrics {
        bundles.push(line(&format!("metrics by step: {}", super::text::short_path(metrics))));
    }
    bundles.extend(details.warnings.iter().map(|warning| line(&format!("warning: {warning}"))));
    joined(&bundles)
}

/// `%runs diff A B`.
pub fn diff(diff: &RunDiff) -> MimeBundle {
    let table = |rows: &[Difference]| {
        let mut table = Table::new(["key", diff.run.as_str(), diff.against.as_str()]);
        let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".into());
        for row in rows {
            let cells = [row.key.clone(), cell(&row.run), cell(&row.against)];
            if row.run == row.against { table.row(cells) } else { table.strong_row(cells) }
        }
        table
    };
    let same = format!("All {} inputs are equal.", diff.n_equal);
    let title = format!("Inputs that differ ({} are equal)", diff.n_equal);
    let mut bundles = vec![titled(&title, &table(&diff.inputs), &same)];
    if !diff.environment.is_empty() {
        bundles.push(titled("Environment that differs", &table(&diff.environment), ""));
    }
    bundles.push(titled("Outcome", &table(&diff.outcome), "Neither has a result yet."));
    joined(&bundles)
}

fn line(text: &str) -> MimeBundle {
    MimeBundle::text(super::text::clean(text)).html(html::faint(text))
}

fn joined(bundles: &[MimeBundle]) -> MimeBundle {
    let plain: Vec<&str> = bundles.iter().map(MimeBundle::plain).collect();
    let rich = |bundle: &MimeBundle| bundle.data().get("text/html").and_then(|html| html.as_str()).map(str::to_owned);
    MimeBundle::text(plain.join("\n\n")).html(bundles.iter().filter_map(rich).collect::<String>())
}
