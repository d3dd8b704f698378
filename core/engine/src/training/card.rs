//! `README.md` beside an adapter: the card that the hub and PEFT's users read.

use std::fmt::Write;
use std::path::Path;

use luthier_protocol::spec::Method;
use luthier_train::FitReport;
use serde_json::Value;

use super::Prepared;
use super::record::flatten;
use crate::Error;
use crate::models::AdapterOrigin;

/// Points of the loss curve in the card.
const CURVE_POINTS: usize = 12;

/// Write the card.
pub(super) fn write(dir: &Path, prepared: &Prepared, origin: &AdapterOrigin, report: &FitReport) -> Result<(), Error> {
    let path = dir.join("README.md");
    luthier_data::atomic::write(&path, text(prepared, origin, report).as_bytes())
        .map_err(|source| Error::io("write", &path, source))
}

fn text(prepared: &Prepared, origin: &AdapterOrigin, report: &FitReport) -> String {
    let (name, is_adapter) = (&prepared.name, prepared.recipe.spec.method != Method::Full);
    let mut card = front_matter(origin, is_adapter);
    let what = if is_adapter { "adapter" } else { "model" };
    let _ = writeln!(card, "\n# {name}\n");
    let _ = writeln!(
        card,
        "A {} {what} for `{}`, trained on `{}` ({} examples of split `{}`) with Luthier {}.\n",
        origin.method, origin.base_model, origin.data, report.n_examples, prepared.recipe.spec.split, origin.engine
    );
    card.push_str(&results(report));
    card.push_str(&curve(report));
    card.push_str(&settings(origin));
    card.push_str(&provenance(origin));
    card.push_str(&how_to_load(name, origin, is_adapter));
    card
}

/// YAML strings are written as JSON, which YAML reads.
fn front_matter(origin: &AdapterOrigin, is_adapter: bool) -> String {
    let base = Value::from(origin.base_model.as_str());
    let library = if is_adapter { "peft" } else { "transformers" };
    let mut text = format!("---\nbase_model: {base}\nlibrary_name: {library}\npipeline_tag: text-generation\ntags:\n");
    if is_adapter {
        let _ = writeln!(text, "- base_model:adapter:{}", origin.base_model);
    }
    let _ = write!(text, "- luthier\n- {}\n---\n", origin.method);
    text
}

fn results(report: &FitReport) -> String {
    let mut text = String::from("## Training\n\n| | |\n|---|---|\n");
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "| {name} | {value} |");
    };
    row("steps", report.global_step.to_string());
    if let (Some(first), Some(last)) = (report.losses.first(), report.final_loss()) {
        row("training loss", format!("{first:.4} → {last:.4}"));
    }
    if let (Some(first), Some(last)) = (report.evaluations.first(), report.evaluations.last()) {
        row("evaluation loss", format!("{:.4} → {:.4}", first.loss, last.loss));
    }
    if report.result_step != report.global_step {
        row("weights of step", format!("{} (the best evaluation)", report.result_step));
    }
    row("trained values", report.n_trainable.to_string());
    row("target tokens seen", report.n_target_tokens.to_string());
    row("time", format!("{:.0} s on the CPU", report.seconds));
    text
}

fn curve(report: &FitReport) -> String {
    let n = report.losses.len();
    if n < 2 {
        return String::new();
    }
    let mut text = String::from("\n| step | training loss | evaluation loss |\n|---|---|---|\n");
    let mut steps: Vec<u64> =
        (0..CURVE_POINTS.min(n)).map(|i| (i * (n - 1) / (CURVE_POINTS.min(n) - 1)) as u64 + 1).collect();
    steps.extend(report.evaluations.iter().rev().take(CURVE_POINTS).map(|one| one.step));
    steps.sort_unstable();
    steps.dedup();
    for step in steps {
        let loss = report.losses.get(step as usize - 1).map(|loss| format!("{loss:.4}")).unwrap_or_default();
        let evaluation = report.evaluations.iter().find(|one| one.step == step);
        let evaluation = evaluation.map(|one| format!("{:.4}", one.loss)).unwrap_or_default();
        let _ = writeln!(text, "| {step} | {loss} | {evaluation} |");
    }
    text
}

fn settings(origin: &AdapterOrigin) -> String {
    let mut text = String::from("\n## Settings\n\n| key | value |\n|---|---|\n");
    if let Value::Object(recipe) = &origin.recipe {
        for (key, value) in flatten(recipe) {
            let _ = writeln!(text, "| `{key}` | {} |", cell(&value));
        }
    }
    text
}

/// A value within a table's cell.
fn cell(value: &str) -> String {
    let one_line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("`{}`", one_line.replace('`', "'").replace('|', "\\|"))
}

fn provenance(origin: &AdapterOrigin) -> String {
    let rows = [
        ("run", &origin.run),
        ("data", &origin.data_fingerprint),
        ("base weights", &origin.base_fingerprint),
        ("tokenizer", &origin.tokenizer),
        ("chat template", &origin.chat_template),
        ("prompt renderer", &origin.prompt_renderer),
        ("created", &origin.created),
    ];
    let mut text = String::from("\n## Provenance\n\n| | |\n|---|---|\n");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | `{value}` |");
    }
    text
}

fn how_to_load(name: &str, origin: &AdapterOrigin, is_adapter: bool) -> String {
    let base = Value::from(origin.base_model.as_str());
    let python = if is_adapter {
        format!(
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n\
             base = AutoModelForCausalLM.from_pretrained({base})\n\
             model = PeftModel.from_pretrained(base, \"path/to/this/directory\")\n"
        )
    } else {
        "from transformers import AutoModelForCausalLM\n\n\
         model = AutoModelForCausalLM.from_pretrained(\"path/to/this/directory\")\n"
            .to_owned()
    };
    format!("\n## How to load\n\n```python\n{python}```\n\nor, in Luthier: `%ask {name} …`\n")
}

#[cfg(test)]
mod tests;
