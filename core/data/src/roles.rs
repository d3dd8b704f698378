use luthier_protocol::spec::RolesSpec;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Which column plays which part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// The prompt.
    pub prompt: Option<String>,
    /// Further input.
    pub input: Option<String>,
    /// The text to learn.
    pub completion: Option<String>,
    /// Chat messages.
    pub messages: Option<String>,
    /// Split key.
    pub group: Option<String>,
}

impl Roles {
    /// Given roles checked against the columns, missing ones guessed from well-known names.
    /// `required`: without a template, prompt and completion (or messages) must be found.
    pub fn resolve(
        what: &str,
        columns: &[String],
        spec: &RolesSpec,
        required: bool,
    ) -> Result<Roles> {
        let _ = (what, columns, spec, required);
        unimplemented!()
    }
}
