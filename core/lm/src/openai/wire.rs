//! JSON of requests and answers.

use luthier_protocol::spec::GenerationSpec;
use serde_json::{Map, Value, json};

use crate::{Completion, Error, FinishReason, GenerateRequest, Loglikelihood, Prompt};

/// Of a wrong answer, so much is shown.
const MAX_SHOWN_CHARS: usize = 200;

/// The path below the base address, and the body.
pub(super) fn generation(model: &str, request: &GenerateRequest) -> (&'static str, Value) {
    let mut body = settings(model, &request.generation);
    let path = match &request.prompt {
        Prompt::Text(text) => {
            body.insert("prompt".into(), json!(text));
            "completions"
        }
        Prompt::Chat(turns) => {
            let turns: Vec<Value> =
                turns.iter().map(|turn| json!({ "role": turn.role, "content": turn.content })).collect();
            body.insert("messages".into(), Value::Array(turns));
            "chat/completions"
        }
    };
    (path, Value::Object(body))
}

fn settings(model: &str, generation: &GenerationSpec) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".into(), json!(model));
    body.insert("max_tokens".into(), json!(generation.max_new_tokens));
    body.insert("temperature".into(), json!(generation.temperature));
    body.insert("seed".into(), json!(generation.seed));
    if generation.top_p < 1.0 {
        body.insert("top_p".into(), json!(generation.top_p));
    }
    if generation.top_k > 0 {
        // Not OpenAI's own; vLLM, llama.cpp and Ollama take it.
        body.insert("top_k".into(), json!(generation.top_k));
    }
    if !generation.stop.is_empty() {
        body.insert("stop".into(), json!(generation.stop));
    }
    body
}

/// The first choice of an answer.
pub(super) fn completion(answer: &Value, prompt: &Prompt) -> Result<Completion, Error> {
    let choice = answer.pointer("/choices/0").ok_or_else(|| malformed("choices", answer))?;
    let text = match prompt {
        Prompt::Text(_) => choice.get("text"),
        Prompt::Chat(_) => choice.pointer("/message/content"),
    };
    // A refusal of the model's own has no content: an empty answer.
    let text = match text {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        _ => return Err(malformed("text", answer)),
    };
    let tokens = |name: &str| answer.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64);
    let finish_reason = match choice.get("finish_reason").and_then(Value::as_str) {
        Some("length") => FinishReason::Length,
        _ => FinishReason::Stop,
    };
    Ok(Completion {
        text,
        finish_reason,
        n_prompt_tokens: tokens("prompt_tokens").unwrap_or(0) as usize,
        n_new_tokens: tokens("completion_tokens").unwrap_or(0) as usize,
    })
}

/// Asks for the text itself with its log-probabilities. Some servers refuse to generate nothing, so
/// one token is generated, and left out of the score.
pub(super) fn echo_request(model: &str, text: &str) -> Value {
    json!({ "model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": true, "logprobs": 1 })
}

/// Tokens of an echoed text.
pub(super) struct Echo {
    /// First character of each token.
    offsets: Vec<usize>,
    /// Nothing for the first token of a text, which follows nothing.
    logprobs: Vec<Option<f64>>,
    /// The likeliest token at each place has this log-probability.
    best: Vec<Option<f64>>,
}

pub(super) fn echo(answer: &Value) -> Result<Echo, Error> {
    const UNSUPPORTED: Error = Error::Unsupported {
        what: "log-probabilities of a prompt",
        hint: "use a server whose /completions knows `echo` and `logprobs`, as vLLM's, or a local model",
    };
    let choice = answer.pointer("/choices/0").ok_or_else(|| malformed("choices", answer))?;
    let Some(logprobs) = choice.get("logprobs").filter(|logprobs| logprobs.is_object()) else {
        return Err(UNSUPPORTED);
    };
    let list = |name: &str| logprobs.get(name).and_then(Value::as_array);
    let (Some(found), Some(offsets)) = (list("token_logprobs"), list("text_offset")) else { return Err(UNSUPPORTED) };
    let best_of = |place: &Value| {
        let candidates = place.as_object()?.values().filter_map(Value::as_f64);
        candidates.max_by(f64::total_cmp)
    };
    let offsets: Vec<usize> =
        offsets.iter().filter_map(|offset| offset.as_u64().map(|offset| offset as usize)).collect();
    if offsets.len() != found.len() {
        return Err(malformed("text_offset for every token", answer));
    }
    Ok(Echo {
        logprobs: found.iter().map(Value::as_f64).collect(),
        best: list("top_logprobs").map(|places| places.iter().map(best_of).collect()).unwrap_or_default(),
        offsets,
    })
}

impl Echo {
    /// The score of `n` characters from character `start` on. A token that begins before `start` and
    /// ends after it belongs to the context.
    pub(super) fn score(&self, start: usize, n: usize) -> Result<Loglikelihood, Error> {
        let scored = (0..self.offsets.len()).filter(|&token| (start..start + n).contains(&self.offsets[token]));
        let (mut loglikelihood, mut n_tokens, mut is_greedy) = (0.0, 0, true);
        for token in scored {
            // The first token of a document follows nothing and has no probability.
            let Some(logprob) = self.logprobs[token] else { continue };
            loglikelihood += logprob;
            n_tokens += 1;
            is_greedy &= self.best.get(token).copied().flatten().is_some_and(|best| logprob >= best);
        }
        if n_tokens == 0 && n > 0 {
            return Err(Error::Malformed { missing: "log-probability of the text", found: "only nulls".to_owned() });
        }
        Ok(Loglikelihood { loglikelihood, n_tokens, is_greedy })
    }
}

pub(super) fn malformed(missing: &'static str, found: &Value) -> Error {
    Error::Malformed { missing, found: found.to_string().chars().take(MAX_SHOWN_CHARS).collect() }
}

/// The server's own words of an error, cut.
pub(super) fn message(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let said = parsed.as_ref().and_then(|body| {
        let places = ["/error/message", "/message", "/error", "/detail"];
        places.into_iter().find_map(|place| body.pointer(place).and_then(Value::as_str))
    });
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    said.unwrap_or(body).trim().chars().map(clean).take(MAX_SHOWN_CHARS).collect()
}
