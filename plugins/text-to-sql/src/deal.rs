//! Deals pairs into the parts of an evaluation that can be believed:
//!
//! * `train`: what a model learns from;
//! * `seen-skeleton`: new questions whose SQL shape occurs in training;
//! * `unseen-skeleton`: questions whose SQL shape is held out of training altogether.
//!
//! Which shapes are held out depends on the shape's text alone, so a larger data set holds out the
//! same ones. A shape is held out only if training keeps its plain form: what is new is a
//! composition, never a clause that was not taught.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::skeleton;
use crate::{Grammar, Pair, Rng, hash_text};

/// Of the shapes that may be held out, this share is.
const HELD_OUT_PERCENT: u64 = 30;
/// Training rows of a shape that come before its first test row.
const TRAINED_BEFORE_TESTED: u32 = 2;
/// Grammar draws per row before the schema is taken to be exhausted.
const ATTEMPTS_PER_ROW: usize = 400;
/// Of a hundred rows in order: 68 train, 16 for each grammar-made part of the test.
const CYCLE: usize = 25;
const TRAIN_OF_CYCLE: usize = 17;
const SEEN_OF_CYCLE: usize = 4;

/// A row's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Split `train`.
    Train,
    /// Split `test`, part `seen-skeleton`.
    Seen,
    /// Split `test`, part `unseen-skeleton`.
    Unseen,
    /// Split `test`, part `hand-written`.
    HandWritten,
    /// Split `train`, part `asked`: by a language model.
    Asked,
    /// Split `test`, part `asked`.
    AskedTest,
}

impl Part {
    /// Value of the column `split`.
    #[must_use]
    pub fn split(self) -> &'static str {
        if matches!(self, Part::Train | Part::Asked) { "train" } else { "test" }
    }

    /// Value of the column `part`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Part::Train | Part::Seen => "seen-skeleton",
            Part::Unseen => "unseen-skeleton",
            Part::HandWritten => "hand-written",
            Part::Asked | Part::AskedTest => "asked",
        }
    }
}

/// A dealt row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// English.
    pub question: String,
    /// Canonical SQL.
    pub sql: String,
    /// Its shape.
    pub skeleton: String,
    /// Where it goes.
    pub part: Part,
}

/// What a pair returns when it is executed.
pub type Executes<'a> = dyn FnMut(&str) -> bool + 'a;

/// The dealer: a stream of rows with no question twice.
pub struct Dealer {
    rng: Rng,
    questions: BTreeSet<String>,
    trained: BTreeMap<String, u32>,
    /// Pairs drawn before their turn, by part.
    waiting: BTreeMap<Part, Vec<Row>>,
    position: usize,
}

impl Dealer {
    /// `taken` are questions that must not occur (those written by hand).
    #[must_use]
    pub fn new(seed: u64, taken: impl IntoIterator<Item = String>) -> Dealer {
        Dealer {
            rng: Rng::new(seed, 0),
            questions: taken.into_iter().map(|question| normal(&question)).collect(),
            trained: BTreeMap::new(),
            waiting: BTreeMap::new(),
            position: 0,
        }
    }

    /// The next row, or none when the grammar has nothing new for this turn's part. `returns_rows`
    /// executes a statement and says whether it is worth asking.
    pub fn next(&mut self, grammar: &Grammar<'_>, returns_rows: &mut Executes<'_>) -> Option<Row> {
        let wanted = match self.position % CYCLE {
            0..TRAIN_OF_CYCLE => Part::Train,
            turn if turn < TRAIN_OF_CYCLE + SEEN_OF_CYCLE => Part::Seen,
            _ => Part::Unseen,
        };
        for _ in 0..ATTEMPTS_PER_ROW {
            if let Some(row) = self.take_waiting(wanted) {
                self.position += 1;
                if wanted == Part::Train {
                    *self.trained.entry(row.skeleton.clone()).or_default() += 1;
                }
                return Some(row);
            }
            let Some(Pair { question, sql }) = grammar.pair(&mut self.rng) else { break };
            if self.questions.contains(&normal(&question)) || !returns_rows(&sql) {
                continue;
            }
            self.questions.insert(normal(&question));
            let skeleton = skeleton(&sql);
            let part = part_of(&question, &skeleton);
            self.waiting.entry(part).or_default().push(Row { question, sql, skeleton, part });
        }
        self.position += 1;
        None
    }

    /// First waiting row of the part; a `seen` row only once training has its shape.
    fn take_waiting(&mut self, part: Part) -> Option<Row> {
        let rows = self.waiting.get_mut(&part)?;
        let trained = &self.trained;
        let ready =
            |row: &Row| part != Part::Seen || trained.get(&row.skeleton).is_some_and(|n| *n >= TRAINED_BEFORE_TESTED);
        let at = rows.iter().position(ready)?;
        Some(rows.remove(at))
    }
}

/// By content alone.
fn part_of(question: &str, skeleton: &str) -> Part {
    if is_held_out(skeleton) {
        Part::Unseen
    } else if hash_text(&normal(question)).is_multiple_of(5) {
        Part::Seen
    } else {
        Part::Train
    }
}

/// Held out are compositions: at least two of joining, filtering, grouping, ordering, nesting.
#[must_use]
pub fn is_held_out(skeleton: &str) -> bool {
    let clauses =
        ["JOIN", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "( SELECT", "AND", "DISTINCT", "BETWEEN", "IN (", "/ ?"];
    let n_clauses: usize = clauses.iter().filter(|clause| skeleton.contains(*clause)).count();
    n_clauses >= 3 && hash_text(skeleton) % 100 < HELD_OUT_PERCENT
}

/// Questions that differ only in case, spacing or closing mark are one question.
#[must_use]
pub fn normal(question: &str) -> String {
    let words: Vec<String> = question.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ").trim_end_matches(['.', '?', '!']).to_owned()
}
