//! Chat templates: messages to the text that a model was tuned on.
//!
//! The hub's templates are Jinja, rendered by transformers in a sandboxed Jinja2 environment; this
//! module gives minijinja the same environment ([`environment`]). A model without a template gets
//! a named plain default. Must not know: token ids.
//!
//! No clock: `strftime_now` sees [`RenderDate`], so that a prompt is the same today and tomorrow.

mod context;
mod environment;
mod filters;
mod limits;
mod methods;
mod python;
mod source;
mod tags;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Message, Result, Tokenizer};

/// The date that templates see as today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RenderDate {
    /// Gregorian year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

impl Default for RenderDate {
    /// 26 July 2024: what the templates of Llama 3.1 and 3.2 fall back to when they have no clock.
    fn default() -> Self {
        RenderDate { year: 2024, month: 7, day: 26 }
    }
}

/// Name of the default for models that bring no template.
pub const PLAIN: &str = "luthier-plain";

/// Turns of a conversation in words that any base model has seen. Answers end with EOS in training
/// and, in earlier turns, with the line.
const PLAIN_SOURCE: &str = "\
{%- for message in messages -%}
{%- if message.role == 'system' -%}{{ message.content + '\\n\\n' }}
{%- elif message.role == 'user' -%}{{ 'User: ' + message.content + '\\n' }}
{%- elif message.role == 'assistant' -%}{{ 'Assistant: ' + message.content + '\\n' }}
{%- else -%}{{ raise_exception('unknown role ' + message.role) }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'Assistant:' }}{%- endif -%}
";

/// A model's chat template. Cheap to clone, shared between threads.
#[derive(Clone)]
pub struct ChatTemplate {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    source: String,
    environment: minijinja::Environment<'static>,
    tokens: Vec<(String, String)>,
    date: RenderDate,
    fingerprint: String,
    marks_generation: bool,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate").field("name", &self.name()).field("fingerprint", &self.fingerprint()).finish()
    }
}

impl ChatTemplate {
    /// `chat_template.jinja`, else `chat_template` of `tokenizer_config.json` (of a list of named
    /// templates the one called `default`), else [`ChatTemplate::plain`]: transformers' order.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] if the template does not parse; what reading the files gives.
    pub fn from_dir(dir: &Path, tokenizer: &Tokenizer) -> Result<Self> {
        match source::find(dir)? {
            Some((name, source)) => Self::from_source(&name, &source, tokenizer),
            None => Ok(Self::plain(tokenizer)),
        }
    }

    /// A Jinja template under a name of its own.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] if it does not parse.
    pub fn from_source(name: &str, source: &str, tokenizer: &Tokenizer) -> Result<Self> {
        let mut tokens: Vec<(String, String)> = tokenizer.named_tokens().to_vec();
        let ends = [("bos_token", tokenizer.bos_token()), ("eos_token", tokenizer.eos_token())];
        tokens.extend(ends.into_iter().filter_map(|(key, text)| Some((key.to_string(), text?.to_string()))));
        Self::assemble(name, source, tokens, RenderDate::default())
    }

    /// The default for models that bring no template: `User: …` and `Assistant: …` lines.
    pub fn plain(tokenizer: &Tokenizer) -> Self {
        match Self::from_source(PLAIN, PLAIN_SOURCE, tokenizer) {
            Ok(template) => template,
            Err(error) => unreachable!("the plain template is a constant that parses: {error}"),
        }
    }

    /// The same template on another date.
    ///
    /// # Errors
    /// As [`ChatTemplate::from_source`].
    pub fn with_date(&self, date: RenderDate) -> Result<Self> {
        Self::assemble(self.name(), &self.inner.source, self.inner.tokens.clone(), date)
    }

    fn assemble(name: &str, source: &str, tokens: Vec<(String, String)>, date: RenderDate) -> Result<Self> {
        let environment = environment::build(name, source, date)?;
        let mut hash = Sha256::new();
        for part in ["luthier-chat-template-1", source, &format!("{date:?}"), &format!("{tokens:?}")] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let fingerprint = format!("sha256:{:x}", hash.finalize());
        let marks_generation = tags::marks_generation(source);
        let (name, source) = (name.to_string(), source.to_string());
        let inner = Inner { name, source, environment, tokens, date, fingerprint, marks_generation };
        Ok(ChatTemplate { inner: Arc::new(inner) })
    }

    /// The text that the model sees. With `add_generation_prompt` it ends where the model's answer
    /// begins.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] with the template's own complaint (`raise_exception`) or its fault,
    /// or that it was stopped (a loop without end, a text without end).
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        environment::render(&self.inner.environment, self.name(), self.context(messages, add_generation_prompt, false)?)
    }

    /// The text of a whole conversation, and the bytes of it that the template marks as the
    /// assistant's (`{% generation %}`), ascending.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`]; a text that holds the noncharacters U+FDD0 or U+FDD1 is refused.
    pub fn render_marked(&self, messages: &[Message]) -> Result<(String, Vec<Range<usize>>)> {
        if messages.iter().any(|message| message.content.contains(environment::MARKS)) {
            return Err(template_error(self.name(), "the text holds the noncharacters U+FDD0 or U+FDD1"));
        }
        let context = self.context(messages, false, true)?;
        let marked = environment::render(&self.inner.environment, self.name(), context)?;
        Ok(without_marks(&marked))
    }

    /// Does the template mark what an assistant says.
    pub fn marks_generation(&self) -> bool {
        self.inner.marks_generation
    }

    fn context(&self, messages: &[Message], add_generation_prompt: bool, marking: bool) -> Result<Value> {
        let conversation =
            context::Conversation::new(messages).map_err(|finding| template_error(self.name(), finding))?;
        let tokens = self.inner.tokens.iter().map(|(key, text)| (key.as_str(), Value::from(text.as_str())));
        let context = [
            ("messages", conversation.messages),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            // transformers passes both, as None, when the caller has none.
            ("tools", conversation.tools),
            ("documents", Value::from(())),
            (environment::MARKING, Value::from(marking)),
        ];
        Ok(Value::from_pairs(tokens.chain(context)))
    }

    /// Is it the plain default.
    pub fn is_plain(&self) -> bool {
        self.inner.name == PLAIN
    }

    /// File it is from, or [`PLAIN`].
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The Jinja source.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The date that it sees as today.
    pub fn date(&self) -> RenderDate {
        self.inner.date
    }

    /// `sha256:…` of source, special tokens and date: what shapes the text besides the messages.
    pub fn fingerprint(&self) -> &str {
        &self.inner.fingerprint
    }
}

/// Takes the marks out of a text, and says where they were.
fn without_marks(marked: &str) -> (String, Vec<Range<usize>>) {
    let mut text = String::with_capacity(marked.len());
    let mut spans = Vec::new();
    let mut start = None;
    for symbol in marked.chars() {
        match symbol {
            symbol if symbol == environment::MARKS[0] => start = Some(text.len()),
            symbol if symbol == environment::MARKS[1] => spans.extend(start.take().map(|start| start..text.len())),
            symbol => text.push(symbol),
        }
    }
    spans.retain(|span| !span.is_empty());
    (text, spans)
}

fn template_error(name: &str, finding: impl Into<String>) -> Error {
    Error::ChatTemplate { template: name.to_string(), finding: finding.into() }
}

#[cfg(test)]
pub(crate) mod tests;
