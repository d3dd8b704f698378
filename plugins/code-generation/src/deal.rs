//! Deals functions into the parts of an evaluation that can be believed:
//!
//! * `train`: what a model learns from;
//! * `seen-skeleton`: new functions whose shape occurs in training;
//! * `unseen-skeleton`: functions whose shape is held out of training altogether.
//!
//! Which shapes are held out depends on the shape's text alone, so a larger data set holds out the same ones. Only
//! compositions of three steps or more are held out: what is new is how steps are put together, never a step.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use luthier_plugin::Rng;

use crate::cases::{assertions, cases};
use crate::grammar::Function;
use crate::skeleton::skeleton;

/// Of the shapes that may be held out, this share is.
const HELD_OUT_PERCENT: u64 = 35;
/// Steps of a function that may be held out.
const HELD_OUT_STEPS: usize = 3;
/// Training rows of a shape that come before its first test row.
const TRAINED_BEFORE_TESTED: u32 = 2;
/// Draws per row before the grammar is taken to be exhausted.
const ATTEMPTS_PER_ROW: usize = 400;
/// Of twenty rows in order: 16 train, 2 for each part of the test.
const CYCLE: usize = 20;
const TRAIN_OF_CYCLE: usize = 16;
const SEEN_OF_CYCLE: usize = 2;

/// A row's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Split `train`.
    Train,
    /// Split `test`, part `seen-skeleton`.
    Seen,
    /// Split `test`, part `unseen-skeleton`.
    Unseen,
    /// Split `train`, part `asked`: by a language model.
    Asked,
    /// Split `test`, part `asked`.
    AskedTest,
}

impl Part {
    /// Value of the column `split`.
    pub fn split(self) -> &'static str {
        if matches!(self, Part::Train | Part::Asked) { "train" } else { "test" }
    }

    /// Value of the column `part`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train | Part::Seen => "seen-skeleton",
            Part::Unseen => "unseen-skeleton",
            Part::Asked | Part::AskedTest => "asked",
        }
    }
}

/// A dealt row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Signature and docstring.
    pub prompt: String,
    /// The whole function.
    pub solution: String,
    /// `assert` statements.
    pub tests: String,
    /// Its shape.
    pub skeleton: String,
    /// Where it goes.
    pub part: Part,
}

/// The dealer: a stream of rows with no prompt twice.
pub struct Dealer {
    rng: Rng,
    prompts: BTreeSet<String>,
    trained: BTreeMap<String, u32>,
    /// Functions drawn before their turn, by part.
    waiting: BTreeMap<Part, Vec<Row>>,
    position: usize,
}

impl Dealer {
    /// From its beginning.
    pub fn new(seed: u64) -> Dealer {
        Dealer {
            rng: Rng::new(seed),
            prompts: BTreeSet::new(),
            trained: BTreeMap::new(),
            waiting: BTreeMap::new(),
            position: 0,
        }
    }

    /// The next row, or none when the grammar has nothing new for this turn's part.
    pub fn next_row(&mut self) -> Option<Row> {
        let wanted = match self.position % CYCLE {
            0..TRAIN_OF_CYCLE => Part::Train,
            turn if turn < TRAIN_OF_CYCLE + SEEN_OF_CYCLE => Part::Seen,
            _ => Part::Unseen,
        };
        self.position += 1;
        for _ in 0..ATTEMPTS_PER_ROW {
            if let Some(row) = self.take_waiting(wanted) {
                if wanted == Part::Train {
                    *self.trained.entry(row.skeleton.clone()).or_default() += 1;
                }
                return Some(row);
            }
            self.draw();
        }
        None
    }

    /// One more waiting row, unless the draw makes no sense, was drawn before, or cannot be tested.
    fn draw(&mut self) {
        let Some(function) = Function::draw(&mut self.rng) else { return };
        let prompt = function.prompt();
        if self.prompts.contains(&prompt) {
            return;
        }
        let Some(found) = cases(&function, &mut self.rng) else { return };
        self.prompts.insert(prompt.clone());
        let solution = function.source_code();
        let skeleton = skeleton(&solution);
        let part = part_of(&prompt, &skeleton, function.n_steps());
        let tests = assertions(&function.name(), &found);
        self.waiting.entry(part).or_default().push(Row { prompt, solution, tests, skeleton, part });
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
fn part_of(prompt: &str, skeleton: &str, n_steps: usize) -> Part {
    if n_steps >= HELD_OUT_STEPS && hash_text(skeleton) % 100 < HELD_OUT_PERCENT {
        Part::Unseen
    } else if hash_text(prompt).is_multiple_of(8) {
        Part::Seen
    } else {
        Part::Train
    }
}

/// A stable 64-bit hash of a text (FNV-1a, then SplitMix64's finalizer), where a decision depends on content alone.
pub fn hash_text(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    Rng::new(fnv).next_u64()
}
