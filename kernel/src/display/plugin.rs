//! What a `plugin` command came to.

use luthier_protocol::plugin::{PluginCheck, PluginReport, PluginTable};

use super::{MimeBundle, Table, html, number, text};

/// `%plugin ACTION` and `%%plugin NAME`.
pub fn report(report: &PluginReport) -> MimeBundle {
    let mut plain = vec![text::one_line(&report.done)];
    let mut rich = html::title(&report.done);
    let facts = facts(report);
    if !facts.is_empty() {
        plain.push(facts.to_text());
        rich.push_str(&facts.to_html());
    }
    if !report.checks.is_empty() {
        let checks = checks(&report.checks);
        plain.push(checks.to_text());
        rich.push_str(&checks.to_html());
    }
    if let Some(scores) = &report.table {
        let (table, rest) = scored(scores);
        plain.push(table.to_text());
        rich.push_str(&table.to_html());
        if let Some(rest) = rest {
            rich.push_str(&html::faint(&rest));
            plain.push(rest);
        }
    }
    MimeBundle::text(plain.join("\n\n")).html(rich)
}

fn facts(report: &PluginReport) -> Table {
    let mut table = Table::new(["", " "]);
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([name.to_owned(), value]);
        }
    };
    if let Some(plugin) = &report.plugin {
        fact("kind", format!("{} {}", plugin.kind, plugin.version));
        fact("what it does", plugin.summary.clone());
        let may = if plugin.imports.is_empty() { "nothing".to_owned() } else { plugin.imports.join(", ") };
        fact("may use", may);
        fact("size", number::bytes(plugin.size_bytes));
        fact("digest", plugin.digest.clone());
        fact("source", plugin.source.clone());
    }
    for (name, value) in &report.facts {
        fact(name, value.clone());
    }
    fact("path", report.path.clone().unwrap_or_default());
    table
}

fn checks(checks: &[PluginCheck]) -> Table {
    let mut table = Table::new(["check", "", "finding"]);
    for check in checks {
        let row = [check.name.clone(), if check.passed { "ok" } else { "FAILED" }.to_owned(), check.detail.clone()];
        if check.passed { table.row(row) } else { table.strong_row(row) }
    }
    table
}

fn scored(scores: &PluginTable) -> (Table, Option<String>) {
    let mut table = Table::new(scores.columns.iter().map(String::as_str));
    for row in &scores.rows {
        table.row(row.clone());
    }
    let shown = scores.rows.len() as u64;
    let rest = (shown < scores.n_rows).then(|| format!("{shown} of {} rows", number::count(scores.n_rows)));
    (table, rest)
}
