//! Any server that speaks OpenAI's HTTP interface: OpenAI itself, vLLM, llama.cpp, Ollama, Cloudera's
//! AI Inference, and this crate's own tests.
//!
//! ```text
//! POST {base_url}/chat/completions     a prompt of turns
//! POST {base_url}/completions          a prompt of text; log-likelihoods by `echo` and `logprobs`
//! ```
//!
//! Blocking, with a few requests at a time. What may pass (a busy or failing server, a broken
//! connection, a cut or garbled answer) is tried again after a pause that doubles; what will not pass is
//! an error at once. The key goes into one header and nowhere else: not into errors, not into logs,
//! not to another address (redirects are not followed).

mod client;
mod wire;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::{Completion, Error, GenerateRequest, LanguageModel, Loglikelihood, LoglikelihoodRequest, Outcomes};

use client::Client;

/// OpenAI's own.
pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// A key that does not show itself.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// `key`, without white space at its ends.
    pub fn new(key: &str) -> Self {
        Secret(key.trim().to_owned())
    }

    fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Which server, and how patiently it is asked.
#[derive(Debug, Clone)]
pub struct OpenAiOptions {
    /// Up to and without `/chat/completions`.
    pub base_url: String,
    /// As the server calls it.
    pub model: String,
    /// Sent as bearer token, if there is one; local servers need none.
    pub key: Option<Secret>,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Requests that are tried at most so often, the first time included.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one, up to a minute.
    pub pause: Duration,
    /// Requests at a time.
    pub concurrency: usize,
}

impl OpenAiOptions {
    /// Two minutes, five attempts after 1, 2, 4 and 8 seconds, four requests at a time.
    pub fn new(base_url: &str, model: &str, key: Option<Secret>) -> Self {
        OpenAiOptions {
            base_url: base_url.to_owned(),
            model: model.to_owned(),
            key,
            timeout: Duration::from_secs(120),
            attempts: 5,
            pause: Duration::from_secs(1),
            concurrency: 4,
        }
    }
}

/// One model of one server.
#[derive(Debug)]
pub struct OpenAi {
    client: Client,
    concurrency: usize,
}

impl OpenAi {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// An address that is none, or that carries a key.
    pub fn new(options: OpenAiOptions) -> Result<Self, Error> {
        let concurrency = options.concurrency.max(1);
        Ok(OpenAi { client: Client::new(options)?, concurrency })
    }

    /// The server's address, for people and signatures.
    pub fn server(&self) -> &str {
        self.client.server()
    }

    fn complete(&self, request: &GenerateRequest, cancel: &AtomicBool) -> Result<Completion, Error> {
        let (path, body) = wire::generation(self.client.model(), request);
        let answer = self.client.post(path, &body, cancel, |answer| wire::completion(answer, &request.prompt))?;
        Ok(answer)
    }

    /// `text` echoed with the log-probability of every token.
    fn echo(&self, text: &str, cancel: &AtomicBool) -> Result<wire::Echo, Error> {
        let body = wire::echo_request(self.client.model(), text);
        self.client.post("completions", &body, cancel, wire::echo)
    }

    /// `work` on every item, a few at a time, in order of the items.
    fn each<I: Sync, T: Send>(
        &self,
        items: &[I],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
        work: impl Fn(&I) -> Result<T, Error> + Sync,
    ) -> Result<Outcomes<T>, Error> {
        let (next, gave_up) = (AtomicUsize::new(0), AtomicBool::new(false));
        let results: Mutex<Vec<Option<Result<T, Error>>>> = Mutex::new(items.iter().map(|_| None).collect());
        let n_workers = self.concurrency.min(items.len());
        let (told, hears) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..n_workers {
                let told = told.clone();
                let (next, gave_up, results, work) = (&next, &gave_up, &results, &work);
                scope.spawn(move || {
                    while !gave_up.load(Ordering::Relaxed) && !cancel.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(index) else { break };
                        let result = work(item);
                        if result.as_ref().is_err_and(Error::is_general) {
                            gave_up.store(true, Ordering::Relaxed);
                        }
                        if let Some(slot) = lock(results).get_mut(index) {
                            *slot = Some(result);
                        }
                        // The other end goes away with this scope alone.
                        let _ = told.send(());
                    }
                });
            }
            drop(told);
            let mut n_done = 0;
            while hears.recv().is_ok() {
                n_done += 1;
                progress(n_done, items.len());
            }
        });
        let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut outcomes = Vec::with_capacity(results.len());
        for result in results {
            match result {
                Some(Err(error)) if error.is_general() => return Err(error),
                Some(result) => outcomes.push(result),
                None => outcomes.push(Err(Error::Interrupted)),
            }
        }
        // Rows that nobody took up: the general error that stopped the others has been returned above.
        if outcomes.iter().any(|outcome| matches!(outcome, Err(Error::Interrupted))) {
            return Err(Error::Interrupted);
        }
        Ok(outcomes)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl LanguageModel for OpenAi {
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Completion>, Error> {
        self.each(requests, progress, cancel, |request| self.complete(request, cancel))
    }

    fn loglikelihood(
        &mut self,
        requests: &[LoglikelihoodRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, Error> {
        self.each(requests, progress, cancel, |request| {
            let echo = self.echo(&format!("{}{}", request.context, request.continuation), cancel)?;
            echo.score(request.context.chars().count(), request.continuation.chars().count())
        })
    }

    fn loglikelihood_rolling(
        &mut self,
        documents: &[String],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, Error> {
        self.each(documents, progress, cancel, |document| {
            self.echo(document, cancel)?.score(0, document.chars().count())
        })
    }
}
