//! How results look: a table for the notebook, the same as text for everything else.
//!
//! A cell whose last expression has a method `evcxr_display` shows what it prints between
//! `EVCXR_BEGIN_CONTENT <mime>` and `EVCXR_END_CONTENT`; [`Show`] gives every result that method.

mod table;

use std::fmt;
use std::io::Write as _;

use luthier_protocol::response::{DatasetInfo, Finetuned, ModelInfo, ScoreRow};

use crate::dataset::Dataset;
use crate::evaluation::{Prediction, Scores};
use crate::model::{Adapter, Answer, Model};
use crate::run::Run;
pub use table::Table;

/// Rows shown of a long list; the rest is counted.
const MAX_ROWS_SHOWN: usize = 20;

/// Something a notebook can show: `text/html` with its `text/plain` twin.
pub trait Show {
    /// What is shown, in both forms.
    fn table(&self) -> Table;

    /// Called by the notebook for a cell's last expression.
    fn evcxr_display(&self) {
        let table = self.table();
        let content = format!(
            "EVCXR_BEGIN_CONTENT text/html\n{}\nEVCXR_END_CONTENT\n\
             EVCXR_BEGIN_CONTENT text/plain\n{}\nEVCXR_END_CONTENT\n",
            table.html(),
            table.text()
        );
        // One write: another thread's line must not fall between the markers. Nobody is left to
        // tell if standard output is gone.
        let _ = std::io::stdout().lock().write_all(content.as_bytes());
    }
}

impl Show for Dataset {
    fn table(&self) -> Table {
        let table = describe_dataset(self.info());
        match self.split_name() {
            Some(split) => table.note(format!("limited to split {split}: {} rows", self.len())),
            None => table,
        }
    }
}

impl Show for DatasetInfo {
    fn table(&self) -> Table {
        describe_dataset(self)
    }
}

fn describe_dataset(info: &DatasetInfo) -> Table {
    let splits: Vec<String> = info.splits.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    let mut table = Table::new(info.columns.iter().map(|(name, _)| name.clone())).caption(format!(
        "{}: {} rows ({})",
        info.name,
        info.n_rows,
        splits.join(", ")
    ));
    for row in info.sample.iter().take(MAX_ROWS_SHOWN) {
        table = table.row(row.clone());
    }
    if let Some(template) = &info.template {
        table = table.note(format!("task template {template}"));
    }
    for warning in &info.warnings {
        table = table.note(format!("warning: {warning}"));
    }
    table.note(info.fingerprint.clone())
}

impl Show for Model {
    fn table(&self) -> Table {
        self.info().table()
    }
}

impl Show for ModelInfo {
    fn table(&self) -> Table {
        let pairs = [
            ("architecture", self.architecture.clone()),
            ("parameters", self.n_parameters.to_string()),
            ("layers", self.n_layers.to_string()),
            ("width", self.hidden_size.to_string()),
            ("vocabulary", self.vocab_size.to_string()),
            ("context", self.max_seq_len.to_string()),
            ("dtype", self.dtype.clone()),
            ("source", self.source.clone()),
            ("fingerprint", self.fingerprint.clone()),
            ("notes", self.notes.clone()),
        ];
        let mut table = Table::new(["model", self.name.as_str()]);
        for (key, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            table = table.row([key.to_owned(), value]);
        }
        table
    }
}

impl Show for Adapter {
    fn table(&self) -> Table {
        match self.name() {
            Ok(name) => Table::new(["adapter"]).row([name]),
            Err(error) => Table::new(["adapter"]).row([format!("not there: {error}")]),
        }
    }
}

impl Show for Run {
    fn table(&self) -> Table {
        let steps = self.steps_so_far();
        let mut table = Table::new(["run", "step", "loss", "learning rate", "tokens/s"]);
        if let Some(step) = steps.last() {
            table = table.row([
                self.id(),
                format!("{}/{}", step.global_step, step.total_steps),
                format!("{:.4}", step.loss),
                format!("{:.2e}", step.learning_rate),
                format!("{:.0}", step.tokens_per_second),
            ]);
        } else {
            table = table.row([self.id()]);
        }
        table.note(if self.is_finished() { "ended" } else { "running" })
    }
}

impl Show for Finetuned {
    fn table(&self) -> Table {
        Table::new(["adapter", "run", "steps", "final loss", "seconds", "tokens/s"])
            .row([
                self.name.clone(),
                self.run.clone(),
                self.steps.to_string(),
                format!("{:.4}", self.final_loss),
                format!("{:.1}", self.seconds),
                format!("{:.0}", self.tokens_per_second),
            ])
            .note(self.adapter_dir.clone())
    }
}

impl Show for Answer {
    fn table(&self) -> Table {
        let asked = &self.0;
        let table = Table::new([asked.model.clone()]).row([asked.completion.clone()]);
        let table = match &asked.answer {
            Some(answer) if answer != &asked.completion => table.note(format!("answer: {answer}")),
            _ => table,
        };
        table.note(format!(
            "{} + {} tokens, {:.2} s, ended by {}",
            asked.n_prompt_tokens, asked.n_new_tokens, asked.seconds, asked.finish_reason
        ))
    }
}

impl Show for Scores {
    fn table(&self) -> Table {
        let evaluation = &self.0;
        let level = format!("{:.0} % interval", evaluation.confidence * 100.0);
        let mut table = Table::new(["model", "metric", "part", "mean", level.as_str(), "n", "coverage", "signature"])
            .caption(format!("{} on {}/{}", evaluation.name, evaluation.data, evaluation.split));
        for row in &evaluation.rows {
            table = table.row(score_cells(row));
        }
        for comparison in &evaluation.comparisons {
            table = table.note(format!(
                "{} − {} ({}, {}): {:+.3} [{:+.3}, {:+.3}], n = {}",
                comparison.model,
                comparison.against,
                comparison.metric,
                comparison.part,
                comparison.difference,
                comparison.low,
                comparison.high,
                comparison.n
            ));
        }
        if evaluation.rows.iter().any(|row| row.signature.local) {
            table = table.note("local: scored by a closure of this notebook, unsandboxed");
        }
        table
    }
}

fn score_cells(row: &ScoreRow) -> [String; 8] {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    let local = if row.signature.local { " local" } else { "" };
    [
        row.model.clone(),
        row.metric.clone(),
        row.part.clone(),
        number(row.mean),
        format!("{} – {}", number(row.low), number(row.high)),
        row.n.to_string(),
        format!("{:.0} %", row.coverage * 100.0),
        format!("{}{local}", row.signature.id),
    ]
}

impl Show for [Prediction] {
    fn table(&self) -> Table {
        let mut table = Table::new(["arm", "part", "prompt", "reference", "prediction"]);
        for row in self.iter().take(MAX_ROWS_SHOWN) {
            let cells = [&row.arm, &row.part, &row.prompt, &row.reference, &row.prediction];
            table = table.row(cells.map(String::clone));
        }
        match self.len().saturating_sub(MAX_ROWS_SHOWN) {
            0 => table,
            hidden => table.note(format!("and {hidden} more")),
        }
    }
}

macro_rules! display_as_text {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.table().text())
            }
        }
    )*};
}

display_as_text!(Dataset, Model, Adapter, Run, Scores);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

macro_rules! debug_by_name {
    ($($type:ty => $name:literal),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($name)
            }
        }
    )*};
}

debug_by_name!(Adapter => "Adapter", Run => "Run");

#[cfg(test)]
mod tests;
