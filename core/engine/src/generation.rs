//! Text in, text out: a local model as [`luthier_lm::LanguageModel`], and the streaming of one
//! answer.
//!
//! ```text
//! prompt ─encode─► ids ─luthier_model::generate─► new ids ─decode, stop strings─► completion
//! ```
//!
//! Must not know: datasets, task templates, metrics.

mod answer;
mod likelihood;

use std::sync::atomic::AtomicBool;

use luthier_lm::{
    Completion, FinishReason, GenerateRequest, LanguageModel, Loglikelihood, LoglikelihoodRequest, Outcomes, Prompt,
};
use luthier_model::{Control, GenerateInput, GenerateOptions, Generated};
use luthier_protocol::spec::GenerationSpec;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::models::Opened;
use answer::Answer;

/// How a prompt's text becomes ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptForm {
    /// Rendered by a chat template, special tokens spelled out.
    Rendered,
    /// A person's own text, continued as it stands; special tokens as `tokenizer.json` adds them.
    Plain,
}

/// A model of this machine.
pub struct LocalModel<'a> {
    opened: &'a Opened,
    form: PromptForm,
    /// Use the request's seed as it is, and not one per prompt.
    seed_as_given: bool,
    /// Told each piece of text of the only request.
    stream: Option<&'a mut (dyn FnMut(&str) + Send)>,
}

impl<'a> LocalModel<'a> {
    /// Prompts come in `form`.
    pub fn new(opened: &'a Opened, form: PromptForm) -> Self {
        LocalModel { opened, form, seed_as_given: false, stream: None }
    }

    /// Draw from the request's own seed: for a single prompt.
    #[must_use]
    pub fn with_seed_as_given(mut self) -> Self {
        self.seed_as_given = true;
        self
    }

    /// Pass each piece of text on as it comes. For one request at a time; the pieces add up to the
    /// completion.
    #[must_use]
    pub fn streaming(mut self, sink: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        self.stream = Some(sink);
        self
    }

    fn encode(&self, prompt: &str) -> Result<Vec<u32>, luthier_lm::Error> {
        let prompter = &self.opened.base.prompter;
        match self.form {
            PromptForm::Rendered => prompter.encode(prompt),
            PromptForm::Plain => prompter.tokenizer.encode(prompt, true),
        }
        .map_err(failed)
    }

    /// The prompt as the tokenizer sees it.
    fn text(&self, prompt: &Prompt) -> Result<String, luthier_lm::Error> {
        match prompt {
            Prompt::Text(text) => Ok(text.clone()),
            Prompt::Chat(turns) => {
                let message =
                    |turn: &luthier_lm::Message| luthier_data::Message::new(turn.role.clone(), turn.content.clone());
                let messages: Vec<_> = turns.iter().map(message).collect();
                self.opened.base.prompter.render(&messages).map_err(failed)
            }
        }
    }

    fn stop_ids(&self) -> Vec<u32> {
        let prompter = &self.opened.base.prompter;
        match self.form {
            PromptForm::Rendered => prompter.stop_ids(),
            PromptForm::Plain => prompter.tokenizer.stop_ids().to_vec(),
        }
    }

    fn stop_strings(&self, generation: &GenerationSpec) -> Vec<String> {
        let mut stops = generation.stop.clone();
        if self.form == PromptForm::Rendered {
            stops.extend(self.opened.base.prompter.stop_strings());
        }
        stops
    }

    /// Ids and options of a request; an error concerns this request alone.
    fn input(&self, request: &GenerateRequest, stop_ids: &[u32]) -> Result<GenerateInput, luthier_lm::Error> {
        let prompt = self.text(&request.prompt)?;
        let prompt_ids = match &request.prompt {
            Prompt::Text(_) => self.encode(&prompt)?,
            Prompt::Chat(_) => self.opened.base.prompter.encode(&prompt).map_err(failed)?,
        };
        let (n_tokens, max_seq_len) = (prompt_ids.len(), self.opened.base.model.config().max_seq_len);
        // Room for one new token at least.
        if n_tokens + 1 > max_seq_len {
            return Err(luthier_lm::Error::TooLong { n_tokens, max_seq_len });
        }
        let generation = &request.generation;
        let options = GenerateOptions {
            max_new_tokens: generation.max_new_tokens.min(max_seq_len - n_tokens),
            temperature: generation.temperature,
            top_k: generation.top_k,
            top_p: generation.top_p,
            seed: match self.seed_as_given {
                true => generation.seed,
                false => row_seed(generation.seed, &prompt),
            },
            stop_token_ids: stop_ids.to_vec(),
        };
        Ok(GenerateInput { prompt_ids, options })
    }
}

impl LanguageModel for LocalModel<'_> {
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Vec<Result<Completion, luthier_lm::Error>>, luthier_lm::Error> {
        let stop_ids = self.stop_ids();
        let prepared: Vec<_> = requests.iter().map(|request| self.input(request, &stop_ids)).collect();
        let inputs: Vec<_> = prepared.iter().filter_map(|input| input.as_ref().ok().cloned()).collect();
        let tokenizer = &self.opened.base.prompter.tokenizer;
        let begun = prepared.iter().zip(requests).filter(|(input, _)| input.is_ok());
        let mut answers: Vec<Answer> =
            begun.map(|(_, request)| Answer::new(tokenizer, &self.stop_strings(&request.generation))).collect();
        let stream = &mut self.stream;
        let (mut n_begun, n_all) = (requests.len() - inputs.len(), requests.len());
        let mut on_token = |index: usize, ids: &[u32]| {
            let Some(answer) = answers.get_mut(index) else { return Control::Stop };
            if answer.is_new() {
                n_begun += 1;
                // Prompts are taken up in order, so those begun long ago are done.
                progress(n_begun - 1, n_all);
            }
            let control = answer.push(ids, stream.is_some());
            if let Some(sink) = stream.as_deref_mut() {
                answer.stream(sink);
            }
            control
        };
        let (model, adapter) = (&self.opened.base.model, self.opened.adapter.as_deref());
        let generated =
            luthier_model::generate(model, adapter, &inputs, &mut on_token, cancel).map_err(model_failed)?;
        let mut finished = inputs
            .iter()
            .zip(answers)
            .zip(&generated)
            .map(|((input, answer), generated)| complete(answer, input, generated, self.stream.as_deref_mut()));
        let mut done = Vec::with_capacity(n_all);
        for input in prepared {
            done.push(match input {
                Err(error) => Err(error),
                Ok(_) => finished.next().unwrap_or(Err(luthier_lm::Error::Interrupted)),
            });
        }
        progress(n_all, n_all);
        Ok(done)
    }

    fn loglikelihood(
        &mut self,
        requests: &[LoglikelihoodRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        let sequences = requests.iter().map(|request| Ok(vec![self.sequence(request)?])).collect();
        self.score(sequences, progress, cancel)
    }

    fn loglikelihood_rolling(
        &mut self,
        documents: &[String],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        let windows = documents.iter().map(|document| self.windows(document)).collect();
        self.score(windows, progress, cancel)
    }
}

fn complete(
    answer: Answer,
    input: &GenerateInput,
    generated: &Generated,
    stream: Option<&mut (dyn FnMut(&str) + Send + '_)>,
) -> Result<Completion, luthier_lm::Error> {
    let stopped_by_text = answer.found_stop();
    let text = answer.finish(&generated.ids, stream).map_err(failed)?;
    let finish_reason = match generated.finish_reason {
        _ if stopped_by_text => FinishReason::Stop,
        luthier_model::FinishReason::Stop => FinishReason::Stop,
        luthier_model::FinishReason::Length => FinishReason::Length,
    };
    Ok(Completion { text, finish_reason, n_prompt_tokens: input.prompt_ids.len(), n_new_tokens: generated.ids.len() })
}

/// Refuse settings that no sampler can follow. `prefix` leads to them in the cell.
pub(crate) fn check_generation(generation: &GenerationSpec, prefix: &'static str) -> Result<(), Error> {
    let pointer = |at_top: &'static str, nested: &'static str| if prefix.is_empty() { at_top } else { nested };
    if generation.max_new_tokens == 0 {
        let error = Error::invalid("max_new_tokens", 0, "at least 1");
        return Err(error.at(pointer("/max_new_tokens", "/generation/max_new_tokens")));
    }
    let temperature = generation.temperature;
    if !(temperature.is_finite() && temperature >= 0.0) {
        let error = Error::invalid("temperature", temperature, "0 (greedy) or more");
        return Err(error.at(pointer("/temperature", "/generation/temperature")));
    }
    let top_p = generation.top_p;
    if !(top_p > 0.0 && top_p <= 1.0) {
        let error = Error::invalid("top_p", top_p, "above 0, at most 1");
        return Err(error.at(pointer("/top_p", "/generation/top_p")));
    }
    Ok(())
}

/// Each prompt draws its own random numbers, whatever its place among others.
fn row_seed(seed: u64, prompt: &str) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(prompt).finalize();
    digest.first_chunk().map_or(seed, |bytes| u64::from_le_bytes(*bytes))
}

fn model_failed(error: luthier_model::Error) -> luthier_lm::Error {
    match error {
        luthier_model::Error::Interrupted => luthier_lm::Error::Interrupted,
        error => failed(error),
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> luthier_lm::Error {
    luthier_lm::Error::Model { source: Box::new(error) }
}
