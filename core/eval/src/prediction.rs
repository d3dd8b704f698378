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
    /// Rows that are not independent of each other (samples of one prompt, questions about one
    /// document) share a value; intervals and tests then draw whole clusters. Empty: no clusters.
    pub clusters: Vec<String>,
    /// Number of the sample within its prompt. Empty: one sample per prompt.
    pub samples: Vec<usize>,
}

/// What one arm made of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The whole generated text; empty if generation failed.
    pub completion: String,
    /// What is scored, or why there is nothing to score.
    pub outcome: Outcome,
    /// What the model thinks of the reference, if a metric asked for it.
    pub likelihood: Likelihood,
}

/// What a metric is shown of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer that was taken out of the completion. Empty if the completion holds none: a model
    /// that does not answer has answered wrongly, and must not gain by being left out of the mean.
    Answer(String),
    /// The model was not asked, or failed (`too-long`): a short reason. Not scored; lowers coverage.
    Failed(String),
    /// No metric asked for text.
    Unasked,
}

/// Log-likelihoods of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Likelihood {
    /// No metric asked for it.
    #[default]
    Unasked,
    /// Why there is none: a short reason.
    Failed(String),
    /// Of the reference after the prompt (or of the whole document), and of each choice.
    Known(Scored),
}

/// Log-likelihoods, in nats.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scored {
    /// Of the reference.
    pub loglikelihood: f64,
    /// Tokens scored.
    pub n_tokens: u64,
    /// UTF-8 bytes scored.
    pub n_bytes: u64,
    /// Of each of the row's choices after the prompt.
    pub choices: Vec<f64>,
}

impl Prediction {
    /// A completion and what extraction made of it.
    pub fn extracted(completion: String, answer: Answer) -> Self {
        let answer = match answer {
            Answer::Found(answer) => answer,
            Answer::Missing(_) => String::new(),
        };
        Prediction { completion, outcome: Outcome::Answer(answer), likelihood: Likelihood::Unasked }
    }

    /// No completion, for this short reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Prediction { outcome: Outcome::Failed(reason.into()), ..Prediction::unasked() }
    }

    /// Nothing was generated, because nobody asked for text.
    pub fn unasked() -> Self {
        Prediction { completion: String::new(), outcome: Outcome::Unasked, likelihood: Likelihood::Unasked }
    }

    /// The answer, if there is one to score.
    pub fn answer(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Failed(_) | Outcome::Unasked => None,
        }
    }

    /// Its log-likelihoods, if they are known.
    pub fn scored(&self) -> Option<&Scored> {
        match &self.likelihood {
            Likelihood::Known(scored) => Some(scored),
            Likelihood::Unasked | Likelihood::Failed(_) => None,
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
        if !self.clusters.is_empty() {
            check_length("list of clusters", self.len(), self.clusters.len())?;
        }
        if !self.samples.is_empty() {
            check_length("list of samples", self.len(), self.samples.len())?;
        }
        Ok(())
    }

    /// The same rows, each `n` times in a row, as the samples 0 to n − 1 of its prompt. Samples of
    /// one prompt are a cluster, unless the rows had clusters already.
    ///
    /// # Errors
    /// A column that cannot be repeated.
    pub fn sampled(&self, n: usize) -> Result<Questions> {
        let times = |column: &[String]| -> Vec<String> {
            column.iter().flat_map(|text| std::iter::repeat_n(text.clone(), n)).collect()
        };
        let clusters = match self.clusters.is_empty() {
            true => (0..self.len()).map(|row| row.to_string()).collect(),
            false => self.clusters.clone(),
        };
        let rows: Vec<u64> = (0..self.len() as u64).flat_map(|row| std::iter::repeat_n(row, n)).collect();
        let rows = arrow_array::UInt64Array::from(rows);
        let mut columns = BTreeMap::new();
        for (name, column) in &self.columns {
            columns.insert(name.clone(), arrow_select::take::take(column, &rows, None)?);
        }
        Ok(Questions {
            parts: times(&self.parts),
            prompts: times(&self.prompts),
            references: times(&self.references),
            columns,
            clusters: times(&clusters),
            samples: (0..self.len()).flat_map(|_| 0..n).collect(),
        })
    }

    /// A number for each row, equal where the column has equal values; `sample` stands for the prompt
    /// that samples are of. `None`: the data has no such column.
    pub fn groups(&self, column: &str) -> Option<Vec<usize>> {
        if column == SAMPLE {
            let mut group = 0;
            let number = |row: usize| {
                let begins = row > 0 && self.samples.get(row).copied().unwrap_or(0) == 0;
                group += usize::from(begins);
                group
            };
            return Some((0..self.len()).map(number).collect());
        }
        let own = match column {
            "prompt" => Some(self.prompts.as_slice()),
            "reference" => Some(self.references.as_slice()),
            _ => None,
        };
        let values: Vec<String> = match own {
            Some(values) => values.to_vec(),
            None => {
                let column = self.columns.get(column)?;
                (0..column.len()).map(|row| luthier_data::cell_text(column.as_ref(), row)).collect()
            }
        };
        Some(numbered(values.iter().map(String::as_str)))
    }

    /// The cluster of each row, for a metric that resamples groups of its own; `None`: every row is
    /// independent.
    pub(crate) fn clusters(&self, group_by: Option<&str>) -> Option<Vec<usize>> {
        if !self.clusters.is_empty() {
            return Some(numbered(self.clusters.iter().map(String::as_str)));
        }
        self.groups(group_by?)
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

/// The input column that counts the samples of a prompt; as a column to group by, the prompt itself.
pub const SAMPLE: &str = "sample";

/// Equal numbers for equal values, in the order of first appearance.
fn numbered<'a>(values: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let number = |value| {
        let next = numbers.len();
        *numbers.entry(value).or_insert(next)
    };
    values.map(number).collect()
}

/// Lengths that must agree.
pub(crate) fn check_length(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length { what: what.into(), expected, found })
}
