//! Inputs of this kernel session, for `history_request`.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::wire::Message;

/// Inputs by execution count, oldest first. Outputs are not kept.
#[derive(Default)]
pub(crate) struct History {
    entries: Mutex<Vec<(u64, String)>>,
}

impl History {
    /// Remember an input.
    pub(crate) fn push(&self, line: u64, input: &str) {
        if let Ok(mut entries) = self.entries.lock() {
            entries.push((line, input.to_owned()));
        }
    }

    /// The content of a `history_reply`: `tail`, `range` or `search`, as the request asks.
    pub(crate) fn reply(&self, request: &Message) -> Value {
        let entries = self.entries.lock().map(|entries| entries.clone()).unwrap_or_default();
        let chosen = match request.text("hist_access_type") {
            "range" => range(entries, request),
            "search" => search(entries, request),
            _ => tail(entries, request),
        };
        let output = request.flag("output", false);
        let history: Vec<Value> = chosen
            .into_iter()
            // Session 1: this kernel's inputs do not outlive it, so there is only one.
            .map(|(line, input)| if output { json!([1, line, [input, null]]) } else { json!([1, line, input]) })
            .collect();
        json!({"status": "ok", "history": history})
    }
}

type Entries = Vec<(u64, String)>;

fn number(request: &Message, key: &str) -> Option<i64> {
    request.content.get(key).and_then(Value::as_i64)
}

fn tail(entries: Entries, request: &Message) -> Entries {
    let n = number(request, "n").and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let skip = entries.len().saturating_sub(n);
    entries.into_iter().skip(skip).collect()
}

fn range(entries: Entries, request: &Message) -> Entries {
    let session = number(request, "session").unwrap_or(0);
    if session != 0 && session != 1 {
        return Vec::new();
    }
    let start = number(request, "start").unwrap_or(1);
    let stop = number(request, "stop").unwrap_or(i64::MAX);
    entries.into_iter().filter(|(line, _)| (start..stop).contains(&(*line as i64))).collect()
}

fn search(mut entries: Entries, request: &Message) -> Entries {
    let pattern = match request.text("pattern") {
        "" => "*",
        pattern => pattern,
    };
    entries.retain(|(_, input)| glob_matches(pattern.as_bytes(), input.as_bytes()));
    if request.flag("unique", false) {
        let mut seen = std::collections::HashSet::new();
        entries = entries.into_iter().rev().filter(|(_, input)| seen.insert(input.clone())).collect();
        entries.reverse();
    }
    tail(entries, request)
}

/// `*` stands for any bytes, `?` for one. Linear in the text for each star (no backtracking beyond
/// the last star), so a hostile pattern cannot take exponential time.
fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || Some(&c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == b'*')
}

#[cfg(test)]
mod tests;
