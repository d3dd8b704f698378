//! How long rows are, and what the data lint says: two views of `%show`.

use luthier_protocol::response::{Finding, LengthStats, Lengths};

use super::{MimeBundle, Table, html, number, text};

/// Characters of the longest bar in the text form.
const BAR: usize = 40;

/// Statistics and histogram.
pub fn lengths(lengths: &Lengths, head: &str) -> MimeBundle {
    let head = format!("{head}, in tokens of {}", text::one_line(&lengths.model));
    let table = table(lengths);
    let fits = match lengths.n_too_long {
        0 => format!("all rows fit the model's context of {} tokens", number::count(lengths.max_seq_len)),
        n => format!(
            "{} rows are longer than the model's context of {} tokens",
            number::count(n),
            number::count(lengths.max_seq_len)
        ),
    };
    let plain = format!("{head}\n{fits}\n\n{}\n\n{}", table.to_text(), text_bars(lengths));
    let rich = format!("{}{}{}{}", html::title(&head), html::faint(&fits), table.to_html(), html_bars(lengths));
    MimeBundle::text(plain).html(rich)
}

fn table(lengths: &Lengths) -> Table {
    let mut table =
        Table::new(["", "#rows", "#total", "#mean", "#min", "#p50", "#p75", "#p90", "#p95", "#p99", "#max"]);
    for (name, stats) in [("whole rows", &lengths.tokens), ("learned", &lengths.targets)] {
        table.row(row(name, stats));
    }
    table
}

fn row(name: &str, stats: &LengthStats) -> Vec<String> {
    let one = |value: f64| format!("{value:.1}");
    vec![
        name.to_owned(),
        number::count(stats.n),
        number::count(stats.total),
        one(stats.mean),
        number::count(stats.min),
        one(stats.p50),
        one(stats.p75),
        one(stats.p90),
        one(stats.p95),
        one(stats.p99),
        number::count(stats.max),
    ]
}

fn longest(lengths: &Lengths) -> u64 {
    lengths.histogram.iter().map(|bin| bin.n).max().unwrap_or(1).max(1)
}

fn text_bars(lengths: &Lengths) -> String {
    let longest = longest(lengths);
    let width = lengths.histogram.last().map_or(1, |bin| bin.to.to_string().len());
    let bar = |n: u64| "█".repeat((n as usize * BAR).div_ceil(longest as usize));
    let line = |bin: &luthier_protocol::response::LengthBin| {
        format!("{:>width$}–{:<width$} {} {}", bin.from, bin.to, bar(bin.n), number::count(bin.n)).trim_end().to_owned()
    };
    lengths.histogram.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn html_bars(lengths: &Lengths) -> String {
    let longest = longest(lengths) as f64;
    let mut out = String::from("<table style=\"margin:.4em 0;color:inherit;border-collapse:collapse\"><tbody>");
    for bin in &lengths.histogram {
        let share = bin.n as f64 / longest * 240.0;
        out.push_str(&format!(
            "<tr><td style=\"text-align:right;padding:0 .6em;font-size:.9em\">{}–{}</td><td style=\"text-align:left;padding:0\">\
             <span style=\"display:inline-block;height:.8em;width:{share:.0}px;background:rgba(37,99,235,.55)\"></span> \
             <span style=\"font-size:.9em\">{}</span></td></tr>",
            bin.from,
            bin.to,
            number::count(bin.n)
        ));
    }
    out.push_str("</tbody></table>");
    out
}

/// What the lint finds, errors first.
pub fn findings(findings: &[Finding], head: &str) -> MimeBundle {
    let n_errors = findings.iter().filter(|finding| finding.is_error).count();
    let verdict = match (n_errors, findings.len()) {
        (0, 0) => "nothing to complain about".to_owned(),
        (0, n) => format!("{n} warnings; training would start"),
        (n, _) => format!("{n} errors; training would be refused"),
    };
    let mut plain = format!("{head}: {verdict}");
    let mut rich = format!("{}{}", html::title(head), html::faint(&verdict));
    for finding in findings {
        plain.push_str(&format!("\n\n{}", text::clean(&finding.to_string())));
        let color = if finding.is_error { "220,38,38" } else { "217,119,6" };
        rich.push_str(&format!(
            "<div style=\"border-left:3px solid rgba({color},.9);padding-left:.6em;margin:.4em 0;white-space:pre-wrap\">{}</div>",
            html::escape(&finding.to_string())
        ));
    }
    MimeBundle::text(plain).html(rich)
}
