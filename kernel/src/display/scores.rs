//! Scores: an evaluation's report, and the leaderboard.

use luthier_protocol::response::{Comparison, Evaluation, ExampleRow, ScoreRow, Signature};

use super::{MimeBundle, Table, html, number, text};

/// At most this many disagreeing rows are shown.
const MAX_EXAMPLES: usize = 6;

/// The result of `%%evaluate`.
pub fn evaluation(evaluation: &Evaluation) -> MimeBundle {
    let level = number::percent(evaluation.confidence).replace(".0 %", " %");
    let head = format!("{}: {} split of {}, {level} intervals", evaluation.name, evaluation.split, evaluation.data);
    let scores = score_table(&evaluation.rows);
    let sentences: Vec<String> =
        evaluation.comparisons.iter().map(|found| sentence(found, is_rate(&evaluation.rows, found))).collect();
    let errors = error_lines(&evaluation.rows);
    let signatures = signature_lines(&evaluation.rows);
    let examples = examples(&evaluation.examples);
    let file = format!(
        "every prediction: {} · {}",
        text::short_path(&evaluation.predictions),
        number::seconds(evaluation.seconds)
    );

    let mut plain = format!("{head}\n\n{}", scores.to_text());
    let mut rich = format!("{}{}", html::title(&head), scores.to_html());
    for (title, lines) in [("Comparisons, paired on the same rows", &sentences), ("Rows without a score", &errors)] {
        if !lines.is_empty() {
            plain.push_str(&format!("\n\n{title}\n{}", indented(lines)));
            let items: String = lines.iter().map(|line| format!("<li>{}</li>", html::escape(line))).collect();
            rich.push_str(&format!("{}<ul style=\"margin:.2em 0\">{items}</ul>", html::title(title)));
        }
    }
    if !examples.is_empty() {
        plain.push_str(&format!("\n\nWhere the arms disagree\n\n{}", examples.to_text()));
        rich.push_str(&format!("<details><summary>Where the arms disagree</summary>{}</details>", examples.to_html()));
    }
    plain.push_str(&format!("\n\nSignatures\n{}\n\n{}", indented(&signatures), text::clean(&file)));
    rich.push_str(&signature_html(&signatures));
    rich.push_str(&html::faint(&file));
    MimeBundle::text(plain).html(rich)
}

/// `%leaderboard`.
pub fn leaderboard(rows: &[ScoreRow]) -> MimeBundle {
    if rows.is_empty() {
        let empty = "No score in this project yet; %%evaluate makes some.";
        return MimeBundle::text(empty).html(html::faint(empty));
    }
    let mut table =
        Table::new(["metric", "part", "model", "#score", "interval", "#n", "#coverage", "evaluation", "signature"]);
    for row in rows {
        table.row([
            row.metric.clone(),
            row.part.clone(),
            row.model.clone(),
            score(row),
            interval(row),
            number::count(row.n),
            number::percent(row.coverage),
            row.evaluation.clone(),
            signature_id(&row.signature),
        ]);
    }
    let signatures = signature_lines(rows);
    MimeBundle::text(format!("Leaderboard\n\n{}\n\nSignatures\n{}", table.to_text(), indented(&signatures)))
        .html(format!("{}{}{}", html::title("Leaderboard"), table.to_html(), signature_html(&signatures)))
}

fn score_table(rows: &[ScoreRow]) -> Table {
    let mut table = Table::new(["part", "metric", "model", "#score", "interval", "#n", "#coverage", "signature"]);
    for row in rows {
        let cells = [
            row.part.clone(),
            row.metric.clone(),
            row.model.clone(),
            score(row),
            interval(row),
            number::count(row.n),
            number::percent(row.coverage),
            signature_id(&row.signature),
        ];
        if is_best(row, rows) { table.strong_row(cells) } else { table.row(cells) }
    }
    table
}

/// The one best mean of its part and metric, where there is something to beat.
fn is_best(row: &ScoreRow, rows: &[ScoreRow]) -> bool {
    let Some(mean) = row.mean else { return false };
    let others: Vec<f64> = rows
        .iter()
        .filter(|other| other.part == row.part && other.metric == row.metric && other.model != row.model)
        .filter_map(|other| other.mean)
        .collect();
    !others.is_empty() && others.iter().all(|other| if row.higher_is_better { mean > *other } else { mean < *other })
}

/// Only shares of yes and no read as percent. Wilson's interval is made for those; records from
/// before aggregations were kept say nothing else.
fn is_share(row: &ScoreRow) -> bool {
    row.aggregation == "proportion" || row.interval.starts_with("wilson")
}

fn is_rate(rows: &[ScoreRow], found: &Comparison) -> bool {
    rows.iter().filter(|row| row.metric == found.metric).all(is_share)
}

fn value(value: f64, rate: bool) -> String {
    if rate { number::percent(value) } else { format!("{value:.3}") }
}

fn score(row: &ScoreRow) -> String {
    row.mean.map_or("no score".into(), |mean| value(mean, is_share(row)))
}

fn interval(row: &ScoreRow) -> String {
    match (row.low, row.high) {
        (Some(low), Some(high)) if is_share(row) => format!("[{:.1}, {:.1}]", low * 100.0, high * 100.0),
        (Some(low), Some(high)) => format!("[{low:.3}, {high:.3}]"),
        _ => String::new(),
    }
}

/// One comparison as a sentence that can be quoted.
fn sentence(found: &Comparison, rate: bool) -> String {
    let (scale, unit, decimals) = if rate { (100.0, " points", 1) } else { (1.0, "", 3) };
    let verdict = if found.low > 0.0 {
        "scores higher than"
    } else if found.high < 0.0 {
        "scores lower than"
    } else {
        "is not distinguishable from"
    };
    let part = if found.part == "all" { String::new() } else { format!(" on {}", found.part) };
    let p = found.p_value.map(|p| p_value(p, &found.test)).unwrap_or_default();
    let changed = if found.wins + found.losses > 0 {
        format!(", {} rows won and {} lost", found.wins, found.losses)
    } else {
        String::new()
    };
    format!(
        "{} {verdict} {}{part} ({}): {:+.decimals$}{unit} [{:+.decimals$}, {:+.decimals$}], n = {}{changed}{p}",
        found.model,
        found.against,
        found.metric,
        found.difference * scale,
        found.low * scale,
        found.high * scale,
        found.n,
    )
}

fn p_value(p: f64, test: &str) -> String {
    let test = if test.starts_with("randomization") { "randomization" } else { "McNemar" };
    if p < 0.001 { format!(", {test} p < 0.001") } else { format!(", {test} p = {p:.3}") }
}

fn error_lines(rows: &[ScoreRow]) -> Vec<String> {
    let with_errors = rows.iter().filter(|row| !row.errors.is_empty());
    with_errors
        .map(|row| {
            let reasons: Vec<_> = row.errors.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
            format!("{}, {}, {}: {}", row.model, row.metric, row.part, reasons.join("; "))
        })
        .collect()
}

fn signature_id(signature: &Signature) -> String {
    if signature.local { format!("{} (local)", signature.id) } else { signature.id.clone() }
}

/// Everything a score depends on, in one line, as in sacreBLEU: `id:…|data:…|…`.
pub fn signature_line(signature: &Signature) -> String {
    let mut parts = vec![format!("id:{}", signature.id)];
    let named = [
        ("data", &signature.data),
        ("prompt_template", &signature.prompt_template),
        ("plugin", &signature.plugin),
        ("weights", &signature.weights),
        ("adapter", &signature.adapter),
        ("tokenizer", &signature.tokenizer),
        ("generation", &signature.generation),
    ];
    parts.extend(
        named.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}:{value}")),
    );
    parts.push(format!("num_fewshot:{}", signature.num_fewshot));
    parts.push(format!("seed:{}", signature.seed));
    parts.push(format!("engine:{}", signature.engine));
    if signature.local {
        parts.push("local:unsandboxed".into());
    }
    parts.join("|")
}

fn signature_lines(rows: &[ScoreRow]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for row in rows {
        let line = signature_line(&row.signature);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn signature_html(lines: &[String]) -> String {
    format!(
        "<details style=\"opacity:.8;font-size:.9em\"><summary>Signatures: what each number depends on</summary>{}</details>",
        html::pre(&lines.join("\n"))
    )
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {}", text::clean(line))).collect::<Vec<_>>().join("\n")
}

fn examples(rows: &[ExampleRow]) -> Table {
    let arms: Vec<&str> =
        rows.first().map(|row| row.answers.iter().map(|(arm, ..)| arm.as_str()).collect()).unwrap_or_default();
    let columns = ["part", "prompt", "reference"].into_iter().chain(arms);
    let mut table = Table::new(columns);
    for row in rows.iter().take(MAX_EXAMPLES) {
        let answers = row.answers.iter().map(|(_, answer, score)| format!("{}{answer}", mark(*score)));
        table.row([row.part.clone(), row.prompt.clone(), row.reference.clone()].into_iter().chain(answers));
    }
    table
}

fn mark(score: Option<f64>) -> &'static str {
    match score {
        Some(1.0) => "✓ ",
        Some(0.0) => "✗ ",
        _ => "",
    }
}
