//! What answers: a model of this machine, or `openai:NAME` on a server.

use std::time::Duration;

use luthier_data::Message;
use luthier_lm::{LanguageModel, OpenAi, OpenAiOptions, Prompt, Secret, openai};
use luthier_protocol::spec::ProviderSpec;

use crate::Error;
use crate::error::AtExt;
use crate::generation::{LocalModel, PromptForm};
use crate::models::{self, Opened};
use crate::service::Context;

/// What stands before a model's name where a server answers.
const REMOTE: &str = "openai:";
/// Where OpenAI's own clients look for the key.
const DEFAULT_KEY_VARIABLE: &str = "OPENAI_API_KEY";

/// A model of either kind, ready to answer.
pub(crate) enum Answering {
    /// Of this machine.
    Local(Box<Opened>),
    /// Of a server; its name there.
    Remote(Box<OpenAi>, String),
}

/// The name is one of a server's.
pub(crate) fn is_remote(model: &str) -> bool {
    model.starts_with(REMOTE)
}

impl Answering {
    /// Load a local model, or prepare to ask a server; nothing is sent.
    pub(crate) fn open(
        context: Context<'_>,
        model: &str,
        base_url: Option<&str>,
        provider: &ProviderSpec,
    ) -> Result<Answering, Error> {
        let Some(name) = model.strip_prefix(REMOTE) else {
            if base_url.is_some() {
                let expected = "a model as \"openai:NAME\" with it; local models have no address";
                return Err(Error::invalid("base_url", model, expected)).at("/base_url");
            }
            let resolved = context.resolve(model)?;
            return Ok(Answering::Local(Box::new(models::open(&context.engine.loaded, &resolved)?)));
        };
        if name.trim().is_empty() {
            return Err(Error::invalid("model", model, "a name after `openai:`, as the server calls it"));
        }
        let variable = provider.api_key_env.as_deref().unwrap_or(DEFAULT_KEY_VARIABLE);
        let key = key(variable);
        if provider.api_key_env.is_some() && key.is_none() {
            let expected = "a variable of the engine's environment; restart the engine after setting it";
            return Err(Error::invalid("api_key_env", variable, expected)).at("/provider/api_key_env");
        }
        if !(provider.timeout_s > 0.0 && provider.timeout_s <= 86_400.0) {
            return Err(Error::invalid("timeout_s", provider.timeout_s, "above 0, at most a day"))
                .at("/provider/timeout_s");
        }
        let options = OpenAiOptions {
            timeout: Duration::from_secs_f64(provider.timeout_s),
            attempts: provider.attempts.clamp(1, 100),
            pause: Duration::from_secs_f64(provider.pause_s.clamp(0.0, 60.0)),
            concurrency: provider.concurrency.clamp(1, 100),
            ..OpenAiOptions::new(base_url.unwrap_or(openai::DEFAULT_BASE_URL), name, key)
        };
        let remote = OpenAi::new(options).map_err(Error::from).at("/base_url")?;
        Ok(Answering::Remote(Box::new(remote), name.to_owned()))
    }

    /// The model as callers see it. Prompts are turns, or text that a chat template has rendered.
    pub(crate) fn model(&mut self) -> Box<dyn LanguageModel + '_> {
        match self {
            Answering::Local(opened) => Box::new(LocalModel::new(opened, PromptForm::Rendered)),
            Answering::Remote(remote, _) => Box::new(Borrowed(remote)),
        }
    }

    /// The conversation as this model is asked.
    pub(crate) fn prompt(&self, turns: &[Message]) -> Result<Prompt, Error> {
        match self {
            Answering::Local(opened) => Ok(Prompt::Text(opened.base.prompter.render(turns)?)),
            Answering::Remote(..) => Ok(Prompt::Chat(turns.iter().map(message).collect())),
        }
    }

    /// The conversation as text to be continued, where only text can be scored. A server's chat
    /// template is not known here: turns follow each other on lines of their own.
    pub(crate) fn context(&self, turns: &[Message]) -> Result<String, Error> {
        match self {
            Answering::Local(opened) => Ok(opened.base.prompter.render(turns)?),
            Answering::Remote(..) => Ok(turns.iter().map(|turn| format!("{}\n", turn.content)).collect()),
        }
    }
}

/// A turn in the words of `luthier_lm`.
pub(crate) fn message(turn: &Message) -> luthier_lm::Message {
    luthier_lm::Message { role: turn.role.clone(), content: turn.content.clone() }
}

/// The key goes from the environment into a header, and is kept nowhere else.
fn key(variable: &str) -> Option<Secret> {
    let value = std::env::var_os(variable)?.into_string().ok()?;
    (!value.trim().is_empty()).then(|| Secret::new(&value))
}

/// A server's model, borrowed: it may be asked again.
struct Borrowed<'a>(&'a mut OpenAi);

impl LanguageModel for Borrowed<'_> {
    fn generate(
        &mut self,
        requests: &[luthier_lm::GenerateRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &std::sync::atomic::AtomicBool,
    ) -> Result<luthier_lm::Outcomes<luthier_lm::Completion>, luthier_lm::Error> {
        self.0.generate(requests, progress, cancel)
    }

    fn loglikelihood(
        &mut self,
        requests: &[luthier_lm::LoglikelihoodRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &std::sync::atomic::AtomicBool,
    ) -> Result<luthier_lm::Outcomes<luthier_lm::Loglikelihood>, luthier_lm::Error> {
        self.0.loglikelihood(requests, progress, cancel)
    }

    fn loglikelihood_rolling(
        &mut self,
        documents: &[String],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &std::sync::atomic::AtomicBool,
    ) -> Result<luthier_lm::Outcomes<luthier_lm::Loglikelihood>, luthier_lm::Error> {
        self.0.loglikelihood_rolling(documents, progress, cancel)
    }
}
