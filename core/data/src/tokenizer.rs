//! A model directory's tokenizer: text to ids and back, and which ids are special.
//!
//! Reads `tokenizer.json` for the vocabulary and the small JSON files beside it for the roles of
//! tokens ([`special`]). Must not know: chat templates ([`crate::chat_template`]).
//!
//! ```no_run
//! let tokenizer = luthier_data::Tokenizer::from_dir("models/pico".as_ref())?;
//! let input_ids = tokenizer.encode("SELECT 1", true)?;
//! assert_eq!(tokenizer.decode(&input_ids, true)?, "SELECT 1");
//! # Ok::<(), luthier_data::Error>(())
//! ```

mod display;
mod special;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{Error, Result};
use special::SpecialTokens;
pub(crate) use special::{read_limited, read_object};

/// Largest `tokenizer.json` that is read. The largest in use (256k entries) has 35 MB.
const MAX_TOKENIZER_BYTES: u64 = 256 << 20;

/// A model's tokenizer. Cheap to clone, shared between threads.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    library: tokenizers::Tokenizer,
    special: SpecialTokens,
    /// Content of every special token, longest first.
    special_texts: Vec<String>,
    is_byte_level: bool,
    fingerprint: String,
}

impl Tokenizer {
    /// Reads `tokenizer.json` (required) and, for the roles of tokens, `tokenizer_config.json`,
    /// `special_tokens_map.json`, `generation_config.json` and `config.json` (each may be absent).
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if `tokenizer.json` is missing or damaged, or another file is no JSON
    /// object.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        let bytes = special::read_limited(&path, MAX_TOKENIZER_BYTES)?.ok_or_else(|| missing(dir, &path))?;
        let mut library = tokenizers::Tokenizer::from_bytes(&bytes)
            .map_err(|error| Error::Tokenizer { path: path.clone(), finding: format!("not a tokenizer: {error}") })?;
        // As transformers: a file may carry its trainer's truncation and padding; neither applies
        // unless a caller asks for it.
        library.with_padding(None);
        library
            .with_truncation(None)
            .map_err(|error| Error::Tokenizer { path: path.clone(), finding: error.to_string() })?;
        let special = SpecialTokens::from_dir(dir, &library)?;
        Ok(Self::assemble(library, special, &bytes))
    }

    fn assemble(library: tokenizers::Tokenizer, special: SpecialTokens, json: &[u8]) -> Self {
        let mut special_texts: Vec<String> = library
            .get_added_tokens_decoder()
            .values()
            .filter(|token| token.special && !token.content.is_empty())
            .map(|token| token.content.clone())
            .collect();
        special_texts.extend(special.bos.iter().chain(&special.eos).map(|token| token.text.clone()));
        special_texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        special_texts.dedup();
        let mut hash = Sha256::new();
        hash.update(b"luthier-tokenizer-1\0");
        hash.update((json.len() as u64).to_le_bytes());
        hash.update(json);
        hash.update(special.canonical().as_bytes());
        let fingerprint = format!("sha256:{:x}", hash.finalize());
        let is_byte_level = display::is_byte_level(&library);
        Tokenizer { inner: Arc::new(Inner { library, special, special_texts, is_byte_level, fingerprint }) }
    }

    /// Token ids of `text`; special tokens spelled out in it become their ids. With
    /// `add_special_tokens`, those that `tokenizer.json`'s post-processor adds.
    ///
    /// # Errors
    /// [`Error::Tokenize`] with the library's reason (an unknown token without `unk`, for one).
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        self.inner
            .library
            .encode_fast(text, add_special_tokens)
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| Error::Tokenize { action: "encode", finding: error.to_string() })
    }

    /// Ids with the bytes of `text` that each is of, where the tokenizer knows them (a byte-level
    /// tokenizer may leave the blank before a word out of its place).
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_offsets(&self, text: &str, add_special_tokens: bool) -> Result<Vec<(u32, Range<usize>)>> {
        let encoding = self
            .inner
            .library
            .encode(text, add_special_tokens)
            .map_err(|error| Error::Tokenize { action: "encode", finding: error.to_string() })?;
        let offsets = encoding.get_offsets().iter().map(|(start, end)| *start..*end);
        Ok(encoding.get_ids().iter().copied().zip(offsets).collect())
    }

    /// Text of `ids`, as transformers' `decode` gives it (its clean-up of spaces included where
    /// `tokenizer_config.json` asks for that).
    ///
    /// # Errors
    /// [`Error::Tokenize`] with the library's reason.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        let text = self
            .inner
            .library
            .decode(ids, skip_special_tokens)
            .map_err(|error| Error::Tokenize { action: "decode", finding: error.to_string() })?;
        Ok(if self.inner.special.clean_up_spaces { display::clean_up_spaces(&text) } else { text })
    }

    /// Number of ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.library.get_vocab_size(true)
    }

    /// The token's own text for people: bytes of a byte-level alphabet turned back into text, the
    /// word mark of SentencePiece into a space, parts of a character into `\xE2`.
    pub fn token_text(&self, id: u32) -> String {
        match self.inner.library.id_to_token(id) {
            Some(token) if self.is_special(id) => token,
            Some(token) => display::token_text(&token, self.inner.is_byte_level),
            None => format!("<unknown id {id}>"),
        }
    }

    /// Id of a token by its exact content.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.library.token_to_id(token)
    }

    /// Does `tokenizer.json` mark it special, or is it BOS or EOS.
    pub fn is_special(&self, id: u32) -> bool {
        let added = self.inner.library.get_added_vocabulary().get_added_tokens_decoder();
        added.get(&id).is_some_and(|token| token.special) || self.bos_id() == Some(id) || self.eos_id() == Some(id)
    }

    /// Content of every special token, longest first.
    pub fn special_texts(&self) -> &[String] {
        &self.inner.special_texts
    }

    /// The BOS token, spelled out.
    pub fn bos_token(&self) -> Option<&str> {
        self.inner.special.bos.as_ref().map(|token| token.text.as_str())
    }

    /// The EOS token, spelled out.
    pub fn eos_token(&self) -> Option<&str> {
        self.inner.special.eos.as_ref().map(|token| token.text.as_str())
    }

    /// Id of BOS.
    pub fn bos_id(&self) -> Option<u32> {
        self.inner.special.bos.as_ref().map(|token| token.id)
    }

    /// Id of EOS.
    pub fn eos_id(&self) -> Option<u32> {
        self.inner.special.eos.as_ref().map(|token| token.id)
    }

    /// Ids that end generation, ascending: `generation_config.json`'s `eos_token_id` (one or a
    /// list), else `config.json`'s, else EOS. The same rule as transformers' `generate`.
    pub fn stop_ids(&self) -> &[u32] {
        &self.inner.special.stop_ids
    }

    /// Other named special tokens (`pad_token`, `unk_token`, …) as templates may use them.
    pub fn named_tokens(&self) -> &[(String, String)] {
        &self.inner.special.named
    }

    /// `sha256:…` of `tokenizer.json` and the roles of tokens.
    pub fn fingerprint(&self) -> &str {
        &self.inner.fingerprint
    }
}

fn missing(dir: &Path, path: &Path) -> Error {
    let finding = if !dir.is_dir() {
        "the model directory does not exist".to_string()
    } else if dir.join("tokenizer.model").exists() {
        "expected tokenizer.json, found only tokenizer.model (SentencePiece); \
         `AutoTokenizer.from_pretrained(dir).save_pretrained(dir)` in transformers writes one"
            .to_string()
    } else {
        "the model directory has no tokenizer.json, which turns text into token ids".to_string()
    };
    Error::Tokenizer { path: path.to_path_buf(), finding }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
