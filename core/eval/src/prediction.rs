//! What is asked, and what came back.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use luthier_data::Answer;

use crate::{Error, Result};

/// The rows that every arm is asked, column by column. All columns are equally long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Questions {
    /// Part of the split that each row belongs to; `all` if there are none.
    pub parts: Vec<String>,
    /// The prompt as the dataset has it (not as a model sees it).
    pub prompts: Vec<String>,
    /// What the answer should be.
    pub references: Vec<String>,
    /// Further columns of the dataset, of any type, for metrics that read them.
    pub columns: BTreeMap<String, ArrayRef>,
}

/// What one arm made of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The whole generated text; empty if generation failed.
    pub completion: String,
    /// What is scored, or why there is nothing to score.
    pub outcome: Outcome,
}

/// What a metric is shown of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer that was taken out of the completion. Empty if the completion holds none: a model
    /// that does not answer has answered wrongly, and must not gain by being left out of the mean.
    Answer(String),
    /// The model was not asked, or failed (`too-long`): a short reason. Not scored; lowers coverage.
    Failed(String),
}

impl Prediction {
    /// A completion and what extraction made of it.
    pub fn extracted(completion: String, answer: Answer) -> Self {
        let answer = match answer {
            Answer::Found(answer) => answer,
            Answer::Missing(_) => String::new(),
        };
        Prediction { completion, outcome: Outcome::Answer(answer) }
    }

    /// No completion, for this short reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Prediction { completion: String::new(), outcome: Outcome::Failed(reason.into()) }
    }

    /// The answer, if there is one to score.
    pub fn answer(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Failed(_) => None,
        }
    }
}

impl Questions {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    /// There is not one row.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    /// All columns equally long.
    pub fn check(&self) -> Result<()> {
        let named = [("column part", &self.parts), ("column reference", &self.references)].into_iter();
        for (name, column) in named {
            check_length(name, self.len(), column.len())?;
        }
        for (name, column) in &self.columns {
            check_length(name, self.len(), column.len())?;
        }
        Ok(())
    }

    /// The same questions with other columns under the names that a metric reads: `columns` gives for a
    /// name the dataset's column to show there. `reference` and `prompt` may be given too.
    ///
    /// # Errors
    /// A column that the data does not have.
    pub fn with_columns(&self, metric: &str, columns: &BTreeMap<String, String>) -> Result<Questions> {
        let mut mapped = self.clone();
        for (name, source) in columns {
            let found = self.columns.get(source).ok_or_else(|| Error::UnknownInput {
                metric: metric.to_owned(),
                column: source.clone(),
                nearest: None,
                available: self.columns.keys().cloned().collect(),
            })?;
            let text = || -> Result<Vec<String>> {
                let text = arrow_cast::cast(found, &arrow_schema::DataType::Utf8)?;
                Ok(text.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect())
            };
            match name.as_str() {
                "reference" => mapped.references = text()?,
                "prompt" => mapped.prompts = text()?,
                _ => drop(mapped.columns.insert(name.clone(), found.clone())),
            }
        }
        Ok(mapped)
    }

    /// The parts, in the order in which they first appear.
    pub fn part_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for part in &self.parts {
            if !names.contains(part) {
                names.push(part.clone());
            }
        }
        names
    }
}

/// Lengths that must agree.
pub(crate) fn check_length(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length { what: what.into(), expected, found })
}
