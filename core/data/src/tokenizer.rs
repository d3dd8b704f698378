use std::path::Path;

use crate::Result;

/// A model's tokenizer.
#[derive(Debug, Clone)]
pub struct Tokenizer {}

impl Tokenizer {
    /// Reads `tokenizer.json` and, for special and end tokens, `tokenizer_config.json`,
    /// `generation_config.json`, `config.json`, `special_tokens_map.json` of a model directory.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let _ = dir;
        unimplemented!()
    }
    /// Token ids. `add_special_tokens`: as `tokenizer.json`'s post-processor says.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        let _ = (text, add_special_tokens);
        unimplemented!()
    }
    /// Text of the ids.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        let _ = (ids, skip_special_tokens);
        unimplemented!()
    }
    /// Number of ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        unimplemented!()
    }
    /// The token's own text, for people.
    pub fn token_text(&self, id: u32) -> String {
        let _ = id;
        unimplemented!()
    }
    /// Id of a token by its exact content.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        let _ = token;
        unimplemented!()
    }
    /// Is it a special token.
    pub fn is_special(&self, id: u32) -> bool {
        let _ = id;
        unimplemented!()
    }
    /// BOS token, spelled out.
    pub fn bos_token(&self) -> Option<&str> {
        unimplemented!()
    }
    /// EOS token, spelled out.
    pub fn eos_token(&self) -> Option<&str> {
        unimplemented!()
    }
    /// Id of BOS.
    pub fn bos_id(&self) -> Option<u32> {
        unimplemented!()
    }
    /// Id of EOS.
    pub fn eos_id(&self) -> Option<u32> {
        unimplemented!()
    }
    /// Ids that end generation, ascending.
    pub fn stop_ids(&self) -> &[u32] {
        unimplemented!()
    }
    /// `sha256:…`.
    pub fn fingerprint(&self) -> &str {
        unimplemented!()
    }
}
