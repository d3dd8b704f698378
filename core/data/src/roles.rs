//! Which column plays which part: as the person says, else by well-known names.
//!
//! Guessing is for columns whose names leave no doubt. Two candidates for one role are an error
//! that lists the columns, not a choice made in silence.

use arrow_array::RecordBatch;
use luthier_protocol::spec::RolesSpec;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Column names by role. A dataset that a task template renders may have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// The prompt, instruction or question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Further input shown after the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The text to learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// Chat messages, instead of prompt and completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// Rows with equal values stay in one split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Names of columns that hold a prompt, by how surely: a later tier counts only if the earlier
/// ones are absent (in Alpaca `input` is further input, in an input/output file it is the prompt).
const PROMPT_TIERS: [&[&str]; 3] = [&["prompt", "instruction", "question"], &["input", "query"], &["text", "problem"]];
/// The same for what is to be learned. `query` is the SQL of Spider's question/query.
const COMPLETION_TIERS: [&[&str]; 3] =
    [&["completion", "response", "answer", "output", "sql"], &["target", "solution", "query"], &["label", "code"]];
/// Alpaca's `input`; the passage or schema of question/context/answer files.
const INPUT_TIERS: [&[&str]; 1] = [&["input", "context"]];
/// Chat: OpenAI's and ShareGPT's names.
const MESSAGES_TIERS: [&[&str]; 2] = [&["messages"], &["conversations", "conversation"]];
const GROUP_TIERS: [&[&str]; 1] = [&["group"]];

impl Roles {
    /// Checks the given roles against `columns` and guesses the others. `what` names the file or
    /// dataset in errors. With `required` (no task template renders the rows) the result has
    /// either messages or both prompt and completion.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] with the nearest name; [`Error::Roles`] if a role has several
    /// candidates, none though it is required, or contradicts another.
    pub fn resolve(what: &str, columns: &[String], spec: &RolesSpec, required: bool) -> Result<Roles> {
        let given = Roles::from(spec);
        for (_, column) in given.named() {
            if !columns.contains(column) {
                return Err(missing_column(what, column, columns));
            }
        }
        let guess = Guess { what, columns, given: &given };
        if given.messages.is_some() && given.prompt.is_some() {
            return Err(guess.error("a dataset has either the role `messages` or the role `prompt`, not both"));
        }
        match guess.all(required) {
            // A template renders the rows: what cannot be guessed is its own business.
            Err(_) if !required => Ok(given),
            roles => roles,
        }
    }

    /// The roles that are set, by name.
    pub fn named(&self) -> Vec<(&'static str, &String)> {
        let roles = [
            ("prompt", &self.prompt),
            ("input", &self.input),
            ("completion", &self.completion),
            ("messages", &self.messages),
            ("group", &self.group),
        ];
        roles.into_iter().filter_map(|(role, column)| Some((role, column.as_ref()?))).collect()
    }
}

impl From<&RolesSpec> for Roles {
    fn from(spec: &RolesSpec) -> Self {
        Roles {
            prompt: spec.prompt.clone(),
            input: spec.input.clone(),
            completion: spec.completion.clone(),
            messages: spec.messages.clone(),
            group: spec.group.clone(),
        }
    }
}

struct Guess<'a> {
    what: &'a str,
    columns: &'a [String],
    given: &'a Roles,
}

impl Guess<'_> {
    fn all(&self, required: bool) -> Result<Roles> {
        let group = self.role("group", &self.given.group, &GROUP_TIERS, &[])?;
        let messages = self.messages()?;
        if messages.is_some() {
            return Ok(Roles { messages, group, ..Roles::default() });
        }
        let taken: Vec<&String> = [&self.given.input, &self.given.completion].into_iter().flatten().collect();
        let prompt = self.role("prompt", &self.given.prompt, &PROMPT_TIERS, &taken)?;
        let taken: Vec<&String> = [&self.given.input, &prompt].into_iter().flatten().collect();
        let completion = self.role("completion", &self.given.completion, &COMPLETION_TIERS, &taken)?;
        let taken: Vec<&String> = [&prompt, &completion].into_iter().flatten().collect();
        let input = self.role("input", &self.given.input, &INPUT_TIERS, &taken)?;
        let lacking = [("prompt", &prompt), ("completion", &completion)];
        if required && let Some((role, _)) = lacking.iter().find(|(_, column)| column.is_none()) {
            return Err(
                self.error(&format!("no column is known to be the {role}; name it: roles = {{ {role} = \"…\" }}"))
            );
        }
        Ok(Roles { prompt, input, completion, messages: None, group })
    }

    /// Chat messages, unless the person named a prompt or completion. A `prompt` beside messages
    /// is common (it repeats the first turn); a prompt and a completion beside them are two datasets.
    fn messages(&self) -> Result<Option<String>> {
        if self.given.messages.is_some() {
            return Ok(self.given.messages.clone());
        }
        if self.given.prompt.is_some() || self.given.completion.is_some() {
            return Ok(None);
        }
        let found = self.role("messages", &None, &MESSAGES_TIERS, &[])?;
        let has = |tiers: &[&[&str]]| !self.candidates(tiers[0], &[]).is_empty();
        if found.is_some() && has(&PROMPT_TIERS) && has(&COMPLETION_TIERS) {
            return Err(self.error("both chat messages and prompt with completion are there; name the roles to use"));
        }
        Ok(found)
    }

    fn role(&self, role: &str, given: &Option<String>, tiers: &[&[&str]], taken: &[&String]) -> Result<Option<String>> {
        if given.is_some() {
            return Ok(given.clone());
        }
        for tier in tiers {
            match self.candidates(tier, taken).as_slice() {
                [] => {}
                [only] => return Ok(Some((*only).clone())),
                several => {
                    let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
                    let names = names.join(" and ");
                    return Err(
                        self.error(&format!("{names} could each be the {role}; name it: roles = {{ {role} = \"…\" }}"))
                    );
                }
            }
        }
        Ok(None)
    }

    fn candidates(&self, names: &[&str], taken: &[&String]) -> Vec<&String> {
        let fits = |column: &&String| names.contains(&column.to_lowercase().as_str()) && !taken.contains(column);
        self.columns.iter().filter(fits).collect()
    }

    fn error(&self, finding: &str) -> Error {
        Error::Roles { what: self.what.to_string(), finding: finding.to_string(), columns: self.columns.to_vec() }
    }
}

/// Names of the columns of a batch.
pub(crate) fn column_names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// [`Error::MissingColumn`] with the nearest name.
pub(crate) fn missing_column(what: &str, column: &str, columns: &[String]) -> Error {
    /// Jaro-Winkler similarity from which a name is worth proposing.
    const NEAR: f64 = 0.75;
    let near = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &column.to_lowercase());
    let nearest = columns
        .iter()
        .map(|name| (near(name), name))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone());
    Error::MissingColumn { what: what.to_string(), column: column.to_string(), columns: columns.to_vec(), nearest }
}

#[cfg(test)]
mod tests;
