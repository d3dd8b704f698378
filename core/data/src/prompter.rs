use crate::{ChatTemplate, Message, Result, Tokenizer};

/// The one path from messages to prompt ids.
#[derive(Debug, Clone)]
pub struct Prompter {
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// The model's chat template.
    pub template: ChatTemplate,
}

impl Prompter {
    /// Both from a model directory.
    pub fn from_dir(dir: &std::path::Path) -> Result<Self> {
        let _ = dir;
        unimplemented!()
    }
    /// Prompt text: what [`Prompter::encode`] takes.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.template.render(messages, true)
    }
    /// Ids of a rendered prompt; BOS never doubled.
    pub fn encode(&self, rendered: &str) -> Result<Vec<u32>> {
        let _ = rendered;
        unimplemented!()
    }
    /// Ids that end generation: the tokenizer's and the template's end of turn.
    pub fn stop_ids(&self) -> Result<Vec<u32>> {
        unimplemented!()
    }
    /// Hash over template and tokenizer.
    pub fn fingerprint(&self) -> String {
        unimplemented!()
    }
}
