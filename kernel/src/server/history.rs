//! Inputs of this account's kernels, for `history_request`: kept in SQLite, so that a console's arrow
//! keys find what an earlier session ran. Outputs are not kept.

mod store;

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use serde_json::{Value, json};

use self::store::Store;
use crate::wire::Message;

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Which kernel run, from 1.
    session: i64,
    /// Its execution count.
    line: u64,
    /// The code.
    input: String,
}

/// The inputs. Without a usable file they are those of this session.
pub(crate) struct History {
    path: Option<PathBuf>,
    store: OnceLock<Mutex<Store>>,
}

impl History {
    /// In `$XDG_STATE_HOME/luthier/history.sqlite` (else `~/.local/state/…`), opened on first use.
    /// `LUTHIER_HISTORY` names another file; empty keeps nothing.
    pub(crate) fn in_state_dir() -> Self {
        let path = match std::env::var_os("LUTHIER_HISTORY") {
            Some(path) => (!path.is_empty()).then(|| path.into()),
            None => state_dir().map(|dir| dir.join("history.sqlite")),
        };
        History { path, store: OnceLock::new() }
    }

    #[cfg(test)]
    fn at(path: Option<PathBuf>) -> Self {
        History { path, store: OnceLock::new() }
    }

    /// Remember an input.
    pub(crate) fn push(&self, line: u64, input: &str) {
        self.store().push(line, input);
    }

    /// The content of a `history_reply`: `tail`, `range` or `search`, as the request asks.
    pub(crate) fn reply(&self, request: &Message) -> Value {
        let store = self.store();
        let chosen = match request.text("hist_access_type") {
            "range" => range(&store, request),
            "search" => search(store.all(), request),
            _ => tail(store.all(), request),
        };
        drop(store);
        let output = request.flag("output", false);
        let row = |Entry { session, line, input }| match output {
            true => json!([session, line, [input, null]]),
            false => json!([session, line, input]),
        };
        json!({"status": "ok", "history": chosen.into_iter().map(row).collect::<Vec<Value>>()})
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        let store = self.store.get_or_init(|| Mutex::new(Store::open(self.path.as_deref())));
        store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state_dir() -> Option<PathBuf> {
    let dir = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let state = dir("XDG_STATE_HOME").or_else(|| Some(dir("HOME")?.join(".local/state")))?;
    Some(state.join("luthier"))
}

fn number(request: &Message, key: &str) -> Option<i64> {
    request.content.get(key).and_then(Value::as_i64)
}

fn tail(entries: Vec<Entry>, request: &Message) -> Vec<Entry> {
    let n = number(request, "n").and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let skip = entries.len().saturating_sub(n);
    entries.into_iter().skip(skip).collect()
}

/// Session 0 is this one, negative ones count back from it.
fn range(store: &Store, request: &Message) -> Vec<Entry> {
    let session = match number(request, "session").unwrap_or(0) {
        back @ ..=0 => store.session().saturating_add(back),
        session => session,
    };
    let start = number(request, "start").unwrap_or(1);
    let stop = number(request, "stop").unwrap_or(i64::MAX);
    let mut entries = store.all();
    entries.retain(|entry| entry.session == session && (start..stop).contains(&(entry.line as i64)));
    entries
}

fn search(mut entries: Vec<Entry>, request: &Message) -> Vec<Entry> {
    let pattern = match request.text("pattern") {
        "" => "*",
        pattern => pattern,
    };
    entries.retain(|entry| glob_matches(pattern.as_bytes(), entry.input.as_bytes()));
    if request.flag("unique", false) {
        let mut seen = std::collections::HashSet::new();
        entries = entries.into_iter().rev().filter(|entry| seen.insert(entry.input.clone())).collect();
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
