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
    /// Raw text, instead of prompt and completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The system's words, for rows that have none in their messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Tools that may be called, as a JSON list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// The better of two answers, instead of a completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The worse one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// Whether the completion is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
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
/// Columns that are raw text, if nothing answers them.
const TEXT_NAMES: [&str; 2] = ["text", "content"];
const SYSTEM_TIERS: [&[&str]; 1] = [&["system", "system_prompt"]];
const TOOLS_TIERS: [&[&str]; 1] = [&["tools"]];
const CHOSEN_TIERS: [&[&str]; 1] = [&["chosen"]];
const REJECTED_TIERS: [&[&str]; 1] = [&["rejected"]];
const LABEL_TIERS: [&[&str]; 1] = [&["label"]];

/// What the rows of a dataset are, by their roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A prompt and what answers it (Alpaca too).
    Pair,
    /// A conversation.
    Chat,
    /// Raw text.
    Text,
    /// A prompt, a better and a worse answer.
    Preference,
    /// A prompt, an answer, and whether it is wanted.
    Labeled,
}

impl Roles {
    /// Checks the given roles against `columns` and guesses the others. `what` names the file or
    /// dataset in errors. With `required` (no task template renders the rows) the result has
    /// messages, raw text, a better and a worse answer, or a prompt and a completion.
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
        guess.contradictions()?;
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
            ("text", &self.text),
            ("system", &self.system),
            ("tools", &self.tools),
            ("chosen", &self.chosen),
            ("rejected", &self.rejected),
            ("label", &self.label),
            ("group", &self.group),
        ];
        roles.into_iter().filter_map(|(role, column)| Some((role, column.as_ref()?))).collect()
    }

    /// What the rows are.
    pub fn kind(&self) -> RowKind {
        if self.text.is_some() {
            RowKind::Text
        } else if self.chosen.is_some() {
            RowKind::Preference
        } else if self.messages.is_some() {
            RowKind::Chat
        } else if self.label.is_some() {
            RowKind::Labeled
        } else {
            RowKind::Pair
        }
    }
}

impl From<&RolesSpec> for Roles {
    fn from(spec: &RolesSpec) -> Self {
        Roles {
            prompt: spec.prompt.clone(),
            input: spec.input.clone(),
            completion: spec.completion.clone(),
            messages: spec.messages.clone(),
            text: spec.text.clone(),
            system: spec.system.clone(),
            tools: spec.tools.clone(),
            chosen: spec.chosen.clone(),
            rejected: spec.rejected.clone(),
            label: spec.label.clone(),
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
    fn contradictions(&self) -> Result<()> {
        let Roles { prompt, completion, messages, text, chosen, rejected, .. } = self.given;
        if messages.is_some() && prompt.is_some() {
            return Err(self.error("a dataset has either the role `messages` or the role `prompt`, not both"));
        }
        if text.is_some() && (prompt.is_some() || completion.is_some() || messages.is_some()) {
            return Err(self.error("raw text (the role `text`) has no prompt, completion or messages"));
        }
        if chosen.is_some() && completion.is_some() {
            return Err(self.error("a dataset has either the role `completion` or `chosen` and `rejected`, not both"));
        }
        if rejected.is_some() && chosen.is_none() && self.candidates(CHOSEN_TIERS[0], &[]).is_empty() {
            return Err(self.error("the role `rejected` needs the role `chosen` beside it"));
        }
        Ok(())
    }

    fn all(&self, required: bool) -> Result<Roles> {
        let common = Roles {
            group: self.role("group", &self.given.group, &GROUP_TIERS, &[])?,
            system: self.role("system", &self.given.system, &SYSTEM_TIERS, &[])?,
            tools: self.role("tools", &self.given.tools, &TOOLS_TIERS, &[])?,
            ..Roles::default()
        };
        if self.given.text.is_some() {
            return Ok(Roles { text: self.given.text.clone(), group: common.group, ..Roles::default() });
        }
        if let Some(roles) = self.preference(&common)? {
            return Ok(roles);
        }
        let messages = self.messages()?;
        if messages.is_some() {
            return Ok(Roles { messages, ..common });
        }
        self.pair(common, required)
    }

    fn pair(&self, common: Roles, required: bool) -> Result<Roles> {
        let taken: Vec<&String> = [&self.given.input, &self.given.completion].into_iter().flatten().collect();
        let prompt = self.role("prompt", &self.given.prompt, &PROMPT_TIERS, &taken)?;
        let taken: Vec<&String> = [&self.given.input, &prompt, &self.given.label].into_iter().flatten().collect();
        let completion = self.role("completion", &self.given.completion, &COMPLETION_TIERS, &taken)?;
        let nothing_given = self.given.prompt.is_none() && self.given.label.is_none();
        if required
            && completion.is_none()
            && nothing_given
            && let [only] = self.candidates(&TEXT_NAMES, &[]).as_slice()
            && prompt.as_ref().is_none_or(|prompt| prompt == *only)
        {
            return Ok(Roles { text: Some((*only).clone()), group: common.group, ..Roles::default() });
        }
        let taken: Vec<&String> = [&prompt, &completion].into_iter().flatten().collect();
        let input = self.role("input", &self.given.input, &INPUT_TIERS, &taken)?;
        let label = self.role("label", &self.given.label, &LABEL_TIERS, &taken)?;
        let lacking = [("prompt", &prompt), ("completion", &completion)];
        if required && let Some((role, _)) = lacking.iter().find(|(_, column)| column.is_none()) {
            return Err(
                self.error(&format!("no column is known to be the {role}; name it: roles = {{ {role} = \"…\" }}"))
            );
        }
        Ok(Roles { prompt, input, completion, label, ..common })
    }

    /// A better and a worse answer, with their prompt; without one the turns that both begin with
    /// are the prompt.
    fn preference(&self, common: &Roles) -> Result<Option<Roles>> {
        if self.given.messages.is_some() || self.given.completion.is_some() {
            return Ok(None);
        }
        let chosen = self.role("chosen", &self.given.chosen, &CHOSEN_TIERS, &[])?;
        let rejected = self.role("rejected", &self.given.rejected, &REJECTED_TIERS, &[])?;
        match (&chosen, &rejected) {
            (Some(_), Some(_)) => {}
            (Some(_), None) if self.given.chosen.is_some() => {
                return Err(self.error("the role `chosen` needs the role `rejected` beside it"));
            }
            _ => return Ok(None),
        }
        let taken: Vec<&String> = [&self.given.input].into_iter().flatten().collect();
        let prompt = self.role("prompt", &self.given.prompt, &PROMPT_TIERS, &taken)?;
        Ok(Some(Roles { prompt, input: self.given.input.clone(), chosen, rejected, ..common.clone() }))
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
