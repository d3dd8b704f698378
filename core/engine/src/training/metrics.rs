//! `metrics.parquet`: one row per step, made from the journal when a run ends. A step that was
//! evaluated after has the evaluation's figures in columns that begin with `eval_`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use luthier_protocol::Event;

use crate::Error;
use crate::runs::replay;
use crate::scoring::write_parquet;

/// The file's name in a run's directory.
pub(crate) const FILE_NAME: &str = "metrics.parquet";

/// Columns by name, all of the same length but for the last row, which may be open.
#[derive(Debug, Default)]
struct Columns {
    steps: Vec<u64>,
    targets: Vec<u64>,
    numbers: BTreeMap<String, Vec<Option<f64>>>,
}

/// Columns that every step has, in the order in which the table shows them.
const ALWAYS: [&str; 6] = ["epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second", "elapsed_s"];

impl Columns {
    fn event(&mut self, event: Event) {
        match event {
            Event::Step(step) => {
                self.steps.push(step.global_step);
                self.targets.push(step.n_target_tokens);
                let values =
                    [step.epoch, step.loss, step.learning_rate, step.grad_norm, step.tokens_per_second, step.elapsed_s];
                ALWAYS.iter().zip(values).for_each(|(name, value)| self.put(name, value));
                step.metrics.iter().for_each(|(name, value)| self.put(name, *value));
            }
            Event::Evaluated(evaluation) if self.steps.last() == Some(&evaluation.global_step) => {
                self.put("eval_loss", evaluation.loss);
                self.put("eval_n_target_tokens", evaluation.n_target_tokens as f64);
                evaluation.metrics.iter().for_each(|(name, value)| self.put(&format!("eval_{name}"), *value));
            }
            _ => {}
        }
    }

    /// A value of the last row.
    fn put(&mut self, name: &str, value: f64) {
        let n_rows = self.steps.len();
        let column = self.numbers.entry(name.to_owned()).or_default();
        column.resize(n_rows - 1, None);
        column.push(Some(value));
    }

    fn table(mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let n_rows = self.steps.len();
        let mut fields = vec![Field::new("global_step", DataType::UInt64, false)];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(self.steps))];
        fields.push(Field::new("n_target_tokens", DataType::UInt64, false));
        columns.push(Arc::new(UInt64Array::from(self.targets)));
        let always: Vec<_> = ALWAYS.iter().filter_map(|name| self.numbers.remove_entry(*name)).collect();
        for (name, mut column) in always.into_iter().chain(self.numbers) {
            column.resize(n_rows, None);
            fields.push(Field::new(name, DataType::Float64, true));
            columns.push(Arc::new(Float64Array::from(column)));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

/// Write the table of the run in `run_dir`.
pub(super) fn write(run_dir: &Path) -> Result<(), Error> {
    let mut columns = Columns::default();
    replay(run_dir, &mut |event| columns.event(event));
    let path = run_dir.join(FILE_NAME);
    let table = columns.table().map_err(|error| Error::io("write", &path, std::io::Error::other(error)))?;
    write_parquet(&path, &table)
}

#[cfg(test)]
mod tests;
