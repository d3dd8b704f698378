//! Ask one arm every question: prompts in, predictions out, one for one.

use std::sync::atomic::AtomicBool;

use luthier_data::AnswerExtractor;
use luthier_lm::{Completion, GenerateRequest, LanguageModel};
use luthier_protocol::spec::GenerationSpec;

use crate::prediction::{Prediction, check_length};
use crate::{Error, Result};

/// Generate from each rendered prompt and take the answers out. A prompt that the model cannot
/// answer (too long, say) is a failed row; the others go on.
///
/// # Errors
/// A model or extractor that fails as a whole, does not answer row by row, or was interrupted.
pub fn predict(
    model: &mut dyn LanguageModel,
    prompts: Vec<String>,
    generation: &GenerationSpec,
    extractor: &mut dyn AnswerExtractor,
    progress: &mut dyn FnMut(usize, usize),
    cancel: &AtomicBool,
) -> Result<Vec<Prediction>> {
    let request = |prompt: String| GenerateRequest { prompt: prompt.into(), generation: generation.clone() };
    let requests: Vec<GenerateRequest> = prompts.into_iter().map(request).collect();
    let results = model.generate(&requests, progress, cancel)?;
    check_length("list of completions", requests.len(), results.len())?;

    let mut completions = Vec::new();
    let mut predictions = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(Completion { text, .. }) => {
                // Filled in below, once all answers are taken out in one call.
                predictions.push(None);
                completions.push(text);
            }
            Err(luthier_lm::Error::Interrupted) => return Err(luthier_lm::Error::Interrupted.into()),
            Err(error) => predictions.push(Some(Prediction::failed(error.code()))),
        }
    }
    let answers = extractor.extract(&completions).map_err(|source| Error::Extract { source })?;
    check_length("list of answers", completions.len(), answers.len())?;
    let mut extracted = completions.into_iter().zip(answers);
    let fill = |prediction: Option<Prediction>| {
        prediction.or_else(|| extracted.next().map(|(completion, answer)| Prediction::extracted(completion, answer)))
    };
    Ok(predictions.into_iter().filter_map(fill).collect())
}

#[cfg(test)]
mod tests;
