//! Every answer of a model, written down before it is used: a run that was killed goes on where it was,
//! without asking (or paying) again.
//!
//! One JSON document per line, appended; a last line that was cut is ignored. The first line says which
//! recipe the answers are for: another recipe begins anew.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use luthier_lm::Message;
use luthier_protocol::spec::GenerationSpec;
use serde_json::{Value, json};

use crate::{Error, Result};

/// Raised when old journals can no longer be used.
const VERSION: u64 = 1;
/// A journal is not read beyond this.
const MAX_BYTES: u64 = 4 << 30;

/// One request's answer, or why it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The request.
    pub request_id: String,
    /// Of what was sent.
    pub digest: u64,
    /// The model's text.
    pub output: String,
    /// `stop` or `length`.
    pub finish_reason: String,
    /// A short code; empty if there is an answer.
    pub error: String,
    /// Tokens of the prompt.
    pub n_prompt_tokens: u64,
    /// Tokens of the answer.
    pub n_new_tokens: u64,
}

/// Answers on disk.
#[derive(Debug)]
pub struct Journal {
    path: Option<PathBuf>,
    entries: BTreeMap<String, Entry>,
    n_resumed: usize,
}

impl Journal {
    /// Answers that are kept in memory alone.
    pub fn in_memory() -> Self {
        Journal { path: None, entries: BTreeMap::new(), n_resumed: 0 }
    }

    /// The journal at `path`; answers to the same `recipe` are taken up, those of any other are
    /// removed. Failed requests are asked again.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn open(path: &Path, recipe: &str) -> Result<Self> {
        let fail = |source| Error::Journal { path: path.to_path_buf(), source };
        let head = json!({ "journal": VERSION, "recipe": recipe }).to_string();
        let mut journal = Journal { path: Some(path.to_path_buf()), entries: BTreeMap::new(), n_resumed: 0 };
        let text = match std::fs::metadata(path) {
            Ok(metadata) if metadata.len() <= MAX_BYTES => std::fs::read(path).map_err(fail)?,
            Ok(_) => Vec::new(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fail(error)),
        };
        let text = String::from_utf8_lossy(&text);
        // What ends without a line break was cut.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines();
        let is_ours = lines.next() == Some(head.as_str());
        let kept: Vec<Entry> =
            if is_ours { lines.filter_map(read).filter(|entry| entry.error.is_empty()).collect() } else { Vec::new() };
        journal.n_resumed = kept.len();
        // Written anew: without cut lines, failures and strangers' answers.
        let mut lines = vec![head];
        for entry in kept {
            lines.push(write(&entry).to_string());
            journal.entries.insert(entry.request_id.clone(), entry);
        }
        replace(path, &(lines.join("\n") + "\n")).map_err(fail)?;
        Ok(journal)
    }

    /// Answers that were there already.
    pub fn n_resumed(&self) -> usize {
        self.n_resumed
    }

    /// The answer to a request, if it is to the same words.
    pub fn get(&self, request_id: &str, digest: u64) -> Option<&Entry> {
        self.entries.get(request_id).filter(|entry| entry.digest == digest)
    }

    /// Write an answer down.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn put(&mut self, entry: Entry) -> Result<()> {
        if let Some(path) = &self.path {
            let fail = |source| Error::Journal { path: path.clone(), source };
            let mut file = std::fs::OpenOptions::new().append(true).open(path).map_err(fail)?;
            // One call: a line is there whole, or it is the cut last one.
            file.write_all(format!("{}\n", write(&entry)).as_bytes()).map_err(fail)?;
        }
        self.entries.insert(entry.request_id.clone(), entry);
        Ok(())
    }

    /// The rows lie elsewhere now; the answers are no longer needed.
    pub fn remove(self) {
        if let Some(path) = &self.path {
            // A journal that stays costs disk, and nothing else.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Through a sibling: a kill between leaves the old journal.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let sibling = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).open(&sibling)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&sibling, path)
}

fn write(entry: &Entry) -> Value {
    json!({
        "request": entry.request_id, "digest": format!("{:016x}", entry.digest), "output": entry.output,
        "finish_reason": entry.finish_reason, "error": entry.error,
        "prompt_tokens": entry.n_prompt_tokens, "new_tokens": entry.n_new_tokens,
    })
}

fn read(line: &str) -> Option<Entry> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    Some(Entry {
        request_id: text("request")?,
        digest: u64::from_str_radix(&text("digest")?, 16).ok()?,
        output: text("output")?,
        finish_reason: text("finish_reason")?,
        error: text("error")?,
        n_prompt_tokens: number("prompt_tokens")?,
        n_new_tokens: number("new_tokens")?,
    })
}

/// FNV-1a (Fowler, Noll, Vo) over what is sent: the same on every machine and in every version.
pub(crate) fn digest(messages: &[Message], generation: &GenerationSpec) -> u64 {
    let turns: Vec<Value> = messages.iter().map(|turn| json!([turn.role, turn.content])).collect();
    let text = format!("{}{}", Value::Array(turns), serde_json::to_string(generation).unwrap_or_default());
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;
