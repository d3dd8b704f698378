//! One request over HTTP, tried until it passes or will not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;

use super::{OpenAiOptions, Secret, wire};
use crate::Error;

/// An answer is not read beyond this.
const MAX_BODY_BYTES: u64 = 32 << 20;
/// Longest pause between attempts, whatever the server asks for.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// A pause is slept in pieces: a cancellation ends it.
const NAP: Duration = Duration::from_millis(25);

/// A connection to one server.
pub(super) struct Client {
    agent: Agent,
    options: OpenAiOptions,
    base_url: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// What an attempt came to, if not to an answer.
enum Failed {
    /// It may pass: why, and how long the server asks to wait.
    Again(String, Option<Duration>),
    /// It will not.
    Final(Error),
}

impl Client {
    pub(super) fn new(options: OpenAiOptions) -> Result<Self, Error> {
        let base_url = options.base_url.trim().trim_end_matches('/').to_owned();
        let rest = base_url.strip_prefix("https://").or_else(|| base_url.strip_prefix("http://"));
        let is_plain =
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['@', '?', '#', ' ']));
        if !is_plain {
            return Err(Error::Setting {
                what: "base_url",
                found: base_url
                    .split('@')
                    .next_back()
                    .unwrap_or_default()
                    .split('?')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                expected: "http://host/v1 or https://host/v1, without user, password and query",
            });
        }
        let config = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        Ok(Client { agent: config.into(), options, base_url })
    }

    pub(super) fn server(&self) -> &str {
        &self.base_url
    }

    pub(super) fn model(&self) -> &str {
        &self.options.model
    }

    /// Send until `read` takes the answer.
    pub(super) fn post<T>(
        &self,
        path: &str,
        body: &Value,
        cancel: &AtomicBool,
        read: impl Fn(&Value) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let attempts = self.options.attempts.max(1);
        let mut pause = self.options.pause;
        let mut last = String::new();
        for attempt in 1..=attempts {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let (why, asked) = match self.attempt(path, body, &read) {
                Ok(answer) => return Ok(answer),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Again(why, asked)) => (why, asked),
            };
            last = why;
            if attempt < attempts {
                sleep(asked.unwrap_or(pause).min(MAX_PAUSE), cancel)?;
                pause = (2 * pause).min(MAX_PAUSE);
            }
        }
        Err(Error::Unavailable { server: self.base_url.clone(), attempts, last })
    }

    fn attempt<T>(&self, path: &str, body: &Value, read: impl Fn(&Value) -> Result<T, Error>) -> Result<T, Failed> {
        let mut request = self.agent.post(format!("{}/{path}", self.base_url)).header("accept", "application/json");
        if let Some(key) = &self.options.key {
            request = request.header("authorization", format!("Bearer {}", key.reveal()));
        }
        let sent = request.header("content-type", "application/json").send(body.to_string().as_bytes());
        // Before an answer began: no connection, no answer in time.
        let mut response = sent.map_err(|error| Failed::Again(self.clean(&error.to_string()), None))?;
        let text = response.body_mut().with_config().limit(MAX_BODY_BYTES).lossy_utf8(true).read_to_string();
        let status = response.status().as_u16();
        if status != 200 {
            let said = self.clean(&wire::message(&text.unwrap_or_default()));
            return Err(self.refusal(status, said, &response));
        }
        let text = text.map_err(|error| Failed::Again(format!("a cut answer: {error}"), None))?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|error| Failed::Again(format!("an answer that is no JSON: {error}"), None))?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            // Gateways answer 200 and put the error into the body.
            let said = self.clean(&wire::message(&answer.to_string()));
            let said = if error.is_object() || error.is_string() { said } else { error.to_string() };
            return Err(Failed::Again(said, None));
        }
        read(&answer).map_err(|error| match error {
            Error::Malformed { .. } => Failed::Again(self.clean(&error.to_string()), None),
            error => Failed::Final(error),
        })
    }

    /// What a status other than 200 means.
    fn refusal(&self, status: u16, message: String, response: &Response<ureq::Body>) -> Failed {
        match status {
            // Out of time, busy, failing; 529 is "overloaded" of some gateways.
            408 | 409 | 425 | 429 | 500 | 502..=504 | 520..=529 => {
                let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let asked =
                    asked.and_then(|seconds| seconds.trim().parse::<f64>().ok()).filter(|seconds| *seconds >= 0.0);
                let asked = asked.map(|seconds| Duration::from_secs_f64(seconds.min(MAX_PAUSE.as_secs_f64())));
                Failed::Again(format!("status {status}: {message}"), asked)
            }
            300..=399 | 401 | 402 | 403 | 404 | 405 | 501 => Failed::Final(Error::Refused {
                server: self.base_url.clone(),
                model: self.options.model.clone(),
                status,
                message,
            }),
            _ => Failed::Final(Error::Rejected { status, message }),
        }
    }

    /// A message without the key, should the server repeat it.
    fn clean(&self, message: &str) -> String {
        match self.options.key.as_ref().map(Secret::reveal) {
            Some(key) if !key.is_empty() => message.replace(key, "…"),
            _ => message.to_owned(),
        }
    }
}

fn sleep(pause: Duration, cancel: &AtomicBool) -> Result<(), Error> {
    let mut left = pause;
    while !left.is_zero() {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let nap = left.min(NAP);
        std::thread::sleep(nap);
        left -= nap;
    }
    Ok(())
}
