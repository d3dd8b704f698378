use crate::{Answer, AnswerExtractor, Dataset, Error, PromptRenderer};

/// The default renderer for datasets without a template.
pub fn renderer_for(dataset: &Dataset) -> Box<dyn PromptRenderer> {
    let _ = dataset;
    unimplemented!()
}

/// The whole completion, trimmed.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrimExtractor;

impl AnswerExtractor for TrimExtractor {
    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error> {
        let _ = completions;
        unimplemented!()
    }
}
