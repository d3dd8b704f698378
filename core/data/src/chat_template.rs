use std::path::Path;

use crate::{Message, Result, Tokenizer};

/// The date that `strftime_now` sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderDate {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// A model's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {}

impl ChatTemplate {
    /// `chat_template.jinja`, else `tokenizer_config.json`'s, else [`ChatTemplate::plain`].
    pub fn from_dir(dir: &Path, tokenizer: &Tokenizer) -> Result<Self> {
        let _ = (dir, tokenizer);
        unimplemented!()
    }
    /// The named default for models without a template.
    pub fn plain(tokenizer: &Tokenizer) -> Self {
        let _ = tokenizer;
        unimplemented!()
    }
    /// The text that a model sees.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let _ = (messages, add_generation_prompt);
        unimplemented!()
    }
    /// `sha256:…`.
    pub fn fingerprint(&self) -> &str {
        unimplemented!()
    }
    /// Where it is from.
    pub fn name(&self) -> &str {
        unimplemented!()
    }
}
