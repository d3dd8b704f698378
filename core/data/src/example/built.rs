//! Examples of many rows, and what became of every row.

use luthier_protocol::response::{Accounting, Finding};

use super::{Example, Fitted};
use crate::lint::Facts;

/// Examples of many rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// What is trained on.
    pub examples: Vec<Example>,
    /// Index of each example's row, from 0, ascending.
    pub rows: Vec<usize>,
    /// requested = kept + rejected, by reason.
    pub accounting: Accounting,
    /// Examples that were left out or cut.
    pub warnings: Vec<String>,
    /// What the lint says; see [`crate::lint::gate`].
    pub findings: Vec<Finding>,
    pub(super) n_cut: u64,
}

/// Reasons in [`Built::accounting`].
pub mod reason {
    /// Left out by `on_too_long = "drop"`.
    pub const TOO_LONG: &str = "longer than max_seq_len";
    /// `on_too_long = "truncate"`, and nothing of the completion was left.
    pub const PROMPT_TOO_LONG: &str = "prompt fills max_seq_len";
}

impl Built {
    pub(super) fn new(n_rows: usize) -> Built {
        Built {
            examples: Vec::with_capacity(n_rows),
            rows: Vec::with_capacity(n_rows),
            accounting: Accounting { requested: n_rows as u64, ..Accounting::default() },
            warnings: Vec::new(),
            findings: Vec::new(),
            n_cut: 0,
        }
    }

    pub(super) fn keep(&mut self, row: usize, fitted: Fitted, facts: &mut Facts) {
        match fitted {
            Fitted::Whole(example) => self.push(row, example),
            Fitted::Cut(example) => {
                self.n_cut += 1;
                facts.cut.push(row);
                self.push(row, example);
            }
            Fitted::Rejected(reason) => {
                if reason == reason::PROMPT_TOO_LONG {
                    facts.emptied.push(row);
                }
                *self.accounting.rejected.entry(reason.into()).or_default() += 1;
            }
        }
    }

    fn push(&mut self, row: usize, example: Example) {
        self.rows.push(row);
        self.examples.push(example);
        self.accounting.kept += 1;
    }

    pub(super) fn report(&mut self, max_seq_len: usize) {
        let requested = self.accounting.requested;
        for (reason, n) in &self.accounting.rejected {
            self.warnings.push(format!("{n} of {requested} examples were left out: {reason} = {max_seq_len}"));
        }
        if self.n_cut > 0 {
            self.warnings
                .push(format!("{} of {requested} examples were cut to max_seq_len = {max_seq_len}", self.n_cut));
        }
    }
}
