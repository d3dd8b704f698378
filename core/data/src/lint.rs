//! The gate before training: rows that would teach nothing, or something else than they say, stop
//! the run and are named.
//!
//! Each rule is a way in which fine-tuning is known to fail without an error. A finding has a name,
//! the rows that have it, an excerpt of the first and a remedy; an error stops a run unless its name
//! is allowed, a warning is shown.
//!
//! | name | severity | what it means |
//! |---|---|---|
//! | `no-examples` | error | nothing is left to train on |
//! | `misaligned-labels` | error | labels are not the tokens that they stand at |
//! | `all-masked` | error | no token of the row is learned |
//! | `empty-answer` | error | the only token learned is the end of the turn |
//! | `end-of-turn-never-trained` | error | no row teaches where an answer ends |
//! | `doubled-bos` | error | BOS stands twice at the start |
//! | `template-not-prefix-stable` | error | a turn is rendered otherwise once its answer follows |
//! | `truncation-removes-targets` | error | `max_seq_len` cuts off everything that is learned |
//! | `identical-pairs` | error | the answer repeats the prompt, or both answers are one |
//! | `duplicates-across-splits` | error | rows that are trained on stand in another split too |
//! | `prompts-across-splits` | warning | prompts (with other answers) stand in another split too |
//! | `truncated` | warning | rows are cut: they do not teach where their answer ends |
//! | `duplicate-rows` | warning | rows occur more than once |
//! | `pad-is-eos` | warning | the tokenizer pads with EOS |
//! | `no-end-token` | warning | the tokenizer names no token that ends text |
//! | `end-inside-answer` | warning | an answer holds an end token before its end |
//! | `special-token-in-text` | warning | a row's text spells out a special token |

mod rules;
mod splits;
mod texts;

use luthier_protocol::response::Finding;

pub use splits::across_splits;
pub use texts::identical_answers;

use crate::{Error, Example, Prompter, Result, TrainingRow};

/// Rows named in one finding.
const MAX_NAMED: usize = 10;

/// Characters of an excerpt.
const MAX_EXCERPT: usize = 120;

/// Names of the findings that stop a run, as `allow` takes them.
pub const ERRORS: [&str; 10] = [
    "no-examples",
    "misaligned-labels",
    "all-masked",
    "empty-answer",
    "end-of-turn-never-trained",
    "doubled-bos",
    "template-not-prefix-stable",
    "truncation-removes-targets",
    "identical-pairs",
    "duplicates-across-splits",
];

/// Names of the findings that are shown only.
pub const WARNINGS: [&str; 7] = [
    "prompts-across-splits",
    "truncated",
    "duplicate-rows",
    "pad-is-eos",
    "no-end-token",
    "end-inside-answer",
    "special-token-in-text",
];

/// What is known of how examples came to be. Indices of rows, from 0.
#[derive(Debug, Default)]
pub struct Facts {
    /// Cut to `max_seq_len`.
    pub cut: Vec<usize>,
    /// Cut until nothing that is learned was left.
    pub emptied: Vec<usize>,
    /// Rendered otherwise for training than for generation.
    pub unstable: Vec<usize>,
}

impl Facts {
    pub(crate) fn see(&mut self, row: usize, is_unstable: bool) {
        if is_unstable {
            self.unstable.push(row);
        }
    }
}

/// Looks at the examples of `rows`; `row_of[i]` is the index of the row that example `i` is of.
pub fn lint(
    examples: &[Example],
    row_of: &[usize],
    rows: &[TrainingRow],
    facts: &Facts,
    prompter: &Prompter,
) -> Vec<Finding> {
    let look = Look { rows };
    let mut findings = rules::of_tokens(&look, examples, row_of, facts, prompter);
    findings.extend(rules::of_facts(&look, facts));
    findings.extend(texts::of_texts(&look, prompter));
    findings.extend(rules::of_tokenizer(prompter));
    // Errors first, each kind in the order of the rules.
    findings.sort_by_key(|finding| !finding.is_error);
    findings
}

/// Lets findings pass that are warnings or allowed by name.
///
/// # Errors
/// [`Error::UnknownFinding`] for an allowed name that no rule has; [`Error::Lint`] with the errors
/// that are not allowed.
pub fn gate(mut findings: Vec<Finding>, allow: &[String]) -> Result<Vec<Finding>> {
    check_names(allow)?;
    for finding in &mut findings {
        finding.allowed = finding.is_error && allow.contains(&finding.name);
    }
    let stops = |finding: &Finding| finding.is_error && !finding.allowed;
    if findings.iter().any(stops) {
        return Err(Error::Lint { findings: findings.into_iter().filter(stops).collect() });
    }
    Ok(findings)
}

/// Refuses names that no rule has.
///
/// # Errors
/// [`Error::UnknownFinding`] with the nearest name.
pub fn check_names(allow: &[String]) -> Result<()> {
    let mut known = ERRORS.iter().chain(&WARNINGS);
    let Some(unknown) = allow.iter().find(|name| !known.clone().any(|known| known == name)) else { return Ok(()) };
    let near = |known: &&&str| strsim::jaro_winkler(known, unknown);
    let nearest = known.by_ref().max_by(|a, b| near(a).total_cmp(&near(b)));
    let nearest = nearest.map(|name| (*name).to_string()).unwrap_or_default();
    Err(Error::UnknownFinding { name: unknown.clone(), nearest })
}

/// The rows that findings quote.
struct Look<'a> {
    rows: &'a [TrainingRow],
}

impl Look<'_> {
    /// A finding about these rows (indices from 0), if there are any.
    fn finding(&self, name: &str, rows: &[usize], message: impl Into<String>, remedy: &str) -> Option<Finding> {
        let mut rows = rows.to_vec();
        rows.dedup();
        let first = *rows.first()?;
        Some(Finding {
            rows: rows.iter().take(MAX_NAMED).map(|row| *row as u64 + 1).collect(),
            n_rows: rows.len() as u64,
            excerpt: self.excerpt(first),
            ..about(name, message, remedy)
        })
    }

    fn excerpt(&self, row: usize) -> String {
        let Some(text) = self.rows.get(row) else { return String::new() };
        let answer = text.answer_text();
        let prompt = text.prompt_text();
        let shown = if prompt.is_empty() {
            shorten(&answer)
        } else {
            format!(
                "{} → {}",
                shorten(prompt),
                if answer.trim().is_empty() { "(nothing)".into() } else { shorten(&answer) }
            )
        };
        format!("row {}: {shown}", row + 1)
    }
}

/// A finding about no row.
fn about(name: &str, message: impl Into<String>, remedy: &str) -> Finding {
    Finding {
        name: name.to_string(),
        is_error: ERRORS.contains(&name),
        allowed: false,
        rows: Vec::new(),
        n_rows: 0,
        message: message.into(),
        excerpt: String::new(),
        remedy: remedy.to_string(),
    }
}

/// One line of at most [`MAX_EXCERPT`] characters, in quotes.
fn shorten(text: &str) -> String {
    let line = text.trim().replace('\n', "⏎").replace(['\r', '\t'], " ");
    match line.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("“{}…”", &line[..end]),
        None => format!("“{line}”"),
    }
}

#[cfg(test)]
mod tests;
