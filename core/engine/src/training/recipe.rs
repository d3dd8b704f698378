//! A run's recipe: the spec with everything resolved, so that a resumed run trains on the same.

use std::collections::BTreeMap;

use luthier_protocol::response::Finding;
use luthier_protocol::spec::FinetuneSpec;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Raised when a field changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// What a run depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) format_version: u32,
    /// As it was asked for, its name filled in.
    pub(crate) spec: FinetuneSpec,
    /// Dataset's name in the project.
    pub(crate) data: String,
    pub(crate) data_fingerprint: String,
    /// Fingerprint of each split's rows, by its name.
    #[serde(default)]
    pub(crate) data_splits: BTreeMap<String, String>,
    /// What the data lint found and let pass.
    #[serde(default)]
    pub(crate) findings: Vec<Finding>,
    pub(crate) base_fingerprint: String,
    /// Hash of tokenizer and chat template.
    pub(crate) prompter: String,
    /// Hash of what renders rows.
    pub(crate) prompt_renderer: String,
}

impl Recipe {
    pub(crate) fn new(
        spec: FinetuneSpec,
        data: (&str, &str),
        base_fingerprint: &str,
        prompter: String,
        prompt_renderer: String,
    ) -> Recipe {
        Recipe {
            format_version: FORMAT_VERSION,
            spec,
            data: data.0.to_owned(),
            data_fingerprint: data.1.to_owned(),
            data_splits: BTreeMap::new(),
            findings: Vec::new(),
            base_fingerprint: base_fingerprint.to_owned(),
            prompter,
            prompt_renderer,
        }
    }

    /// From the store.
    pub(crate) fn parse(run: &str, text: &str) -> Result<Recipe, Error> {
        let stored =
            |found: String| Error::Stored { path: std::path::PathBuf::from(run), expected: "a run's recipe", found };
        let recipe: Recipe = serde_json::from_str(text).map_err(|error| stored(error.to_string()))?;
        match recipe.format_version {
            FORMAT_VERSION => Ok(recipe),
            other => Err(stored(format!("format_version {other}, this engine reads {FORMAT_VERSION}"))),
        }
    }

    /// Refuse to go on with `run` if this recipe, made anew, is another than the one it began with.
    pub(crate) fn check_unchanged(&self, run: &str, was: &Recipe) -> Result<(), Error> {
        let fields = [
            ("dataset", &was.data_fingerprint, &self.data_fingerprint),
            ("base model", &was.base_fingerprint, &self.base_fingerprint),
            ("tokenizer or chat template", &was.prompter, &self.prompter),
            ("prompt renderer", &was.prompt_renderer, &self.prompt_renderer),
        ];
        match fields.into_iter().find(|(_, was, is)| was != is) {
            None => Ok(()),
            Some((what, was, is)) => {
                Err(Error::RunChanged { run: run.to_owned(), what, was: was.clone(), is: is.clone() })
            }
        }
    }
}
