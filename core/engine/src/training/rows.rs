//! Rows as training sees them, whatever the objective: sequences to learn, pairs to compare, or
//! sequences with a thumb up or down.

use arrow_array::RecordBatch;
use luthier_data::{Dataset, Example, ExampleBuilder};
use luthier_protocol::Event;
use luthier_protocol::response::{Accounting, Finding};
use luthier_train::{ExampleRef, ExampleSource, ObjectiveKind};

use crate::Error;
use crate::error::AtExt;
use crate::service::Context;
use crate::task::Task;

/// Tokenized rows.
#[derive(Debug, Clone)]
pub(crate) struct TrainingRows {
    /// One sequence per row; of a pair the better answer, then the worse.
    pub(crate) examples: Vec<Example>,
    /// Whether each is wanted; empty: all are.
    pub(crate) desirable: Vec<bool>,
    /// Index of each example's row, from 0.
    pub(crate) rows: Vec<usize>,
    /// requested = kept + rejected, by reason.
    pub(crate) accounting: Accounting,
    /// Examples that were left out or cut.
    pub(crate) warnings: Vec<String>,
    /// What the lint says.
    pub(crate) findings: Vec<Finding>,
}

impl ExampleSource for TrainingRows {
    fn n_examples(&self) -> usize {
        self.examples.len()
    }

    fn example(&self, index: usize) -> ExampleRef<'_> {
        self.examples.example(index)
    }

    fn is_desirable(&self, index: usize) -> bool {
        self.desirable.get(index).copied().unwrap_or(true)
    }
}

/// Render and tokenize rows for an objective.
pub(super) fn build(
    context: Context<'_>,
    dataset: &Dataset,
    rows: &RecordBatch,
    task: &mut Task,
    builder: &ExampleBuilder,
    objective: ObjectiveKind,
) -> Result<TrainingRows, Error> {
    let n_rows = rows.num_rows() as u64;
    let stage = format!("prepare {}", dataset.name);
    let mut progress = |done| context.call.event(Event::Progress { stage: stage.clone(), done, total: Some(n_rows) });
    progress(0);
    match objective {
        ObjectiveKind::Sft => {
            let taught = task.training_rows(rows).at("/data")?;
            let built = builder.build_rows(&taught, context.cancel(), &mut progress).at("/data")?;
            let (examples, rows, accounting) = (built.examples, built.rows, built.accounting);
            let (warnings, findings) = (built.warnings, built.findings);
            Ok(TrainingRows { examples, desirable: Vec::new(), rows, accounting, warnings, findings })
        }
        ObjectiveKind::Dpo | ObjectiveKind::Orpo => {
            let pairs = task.preference_rows(dataset, rows).at("/data")?;
            let built = builder.build_preferences(&pairs, context.cancel(), &mut progress).at("/data")?;
            let (accounting, warnings, findings) = (built.accounting, built.warnings, built.findings);
            Ok(TrainingRows {
                examples: built.examples.into_iter().flat_map(|pair| [pair.chosen, pair.rejected]).collect(),
                desirable: Vec::new(),
                rows: built.rows.iter().flat_map(|row| [*row, *row]).collect(),
                accounting,
                warnings,
                findings,
            })
        }
        ObjectiveKind::Kto => {
            let labeled = task.labeled_rows(dataset, rows).at("/data")?;
            let built = builder.build_labeled(&labeled, context.cancel(), &mut progress).at("/data")?;
            let (accounting, warnings, findings) = (built.accounting, built.warnings, built.findings);
            let row_of = |index: &usize| labeled.get(*index).map_or(*index, |row| row.row);
            Ok(TrainingRows {
                desirable: built.examples.iter().map(|labeled| labeled.label).collect(),
                rows: built.rows.iter().map(row_of).collect(),
                examples: built.examples.into_iter().map(|labeled| labeled.example).collect(),
                accounting,
                warnings,
                findings,
            })
        }
    }
}
