//! Which tokens begin and end text, read from the files that the ecosystem keeps that in.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Largest of the small JSON files. Tool-use templates make `tokenizer_config.json` the largest;
/// 64 KB is usual, a few hundred added tokens make 1 MB.
const MAX_CONFIG_BYTES: u64 = 32 << 20;

/// One token with a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoleToken {
    pub(super) id: u32,
    pub(super) text: String,
}

/// Roles of tokens.
#[derive(Debug, Default)]
pub(super) struct SpecialTokens {
    pub(super) bos: Option<RoleToken>,
    pub(super) eos: Option<RoleToken>,
    /// Ascending.
    pub(super) stop_ids: Vec<u32>,
    /// `pad_token` and the like, by name.
    pub(super) named: Vec<(String, String)>,
    /// transformers' `clean_up_tokenization_spaces`; absent means no, as since transformers 4.45.
    pub(super) clean_up_spaces: bool,
}

impl SpecialTokens {
    /// Precedence: `tokenizer_config.json`, `special_tokens_map.json`, then the ids of
    /// `generation_config.json` and `config.json`.
    pub(super) fn from_dir(dir: &Path, library: &tokenizers::Tokenizer) -> Result<Self> {
        let tokenizer_config = read_object(&dir.join("tokenizer_config.json"))?;
        let special_map = read_object(&dir.join("special_tokens_map.json"))?;
        let generation = read_object(&dir.join("generation_config.json"))?;
        let config = read_object(&dir.join("config.json"))?;
        let named = |key: &str| token_content(&tokenizer_config, key).or_else(|| token_content(&special_map, key));
        let by_id = |key: &str| {
            let ids = [&generation, &config].into_iter().map(|file| ids(file, key)).find(|ids| !ids.is_empty());
            let id = *ids?.first()?;
            Some(RoleToken { id, text: library.id_to_token(id)? })
        };
        let role = |name: &str| {
            named(&format!("{name}_token"))
                .and_then(|text| Some(RoleToken { id: library.token_to_id(&text)?, text }))
                .or_else(|| by_id(&format!("{name}_token_id")))
        };
        let (bos, eos) = (role("bos"), role("eos"));
        let stop_ids = [ids(&generation, "eos_token_id"), ids(&config, "eos_token_id")]
            .into_iter()
            .find(|ids| !ids.is_empty())
            .unwrap_or_else(|| eos.iter().map(|token| token.id).collect());
        let others = ["unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];
        Ok(SpecialTokens {
            bos,
            eos,
            stop_ids: stop_ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            named: others.iter().filter_map(|key| Some(((*key).to_string(), named(key)?))).collect(),
            clean_up_spaces: flag(&tokenizer_config, "clean_up_tokenization_spaces"),
        })
    }

    /// For the fingerprint.
    pub(super) fn canonical(&self) -> String {
        format!("{:?}|{:?}|{:?}|{}", self.bos, self.eos, self.stop_ids, self.clean_up_spaces)
    }
}

fn flag(file: &Option<Map<String, Value>>, key: &str) -> bool {
    file.as_ref().and_then(|object| object.get(key)).and_then(Value::as_bool).unwrap_or(false)
}

/// `"</s>"` or `{"content": "</s>", …}`.
fn token_content(file: &Option<Map<String, Value>>, key: &str) -> Option<String> {
    let value = file.as_ref()?.get(key)?;
    let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
    (!text.is_empty()).then(|| text.to_string())
}

/// One id or a list; in a multimodal `config.json` under `text_config`.
fn ids(file: &Option<Map<String, Value>>, key: &str) -> Vec<u32> {
    let Some(object) = file else { return Vec::new() };
    let value = object.get(key).filter(|value| !value.is_null()).or_else(|| object.get("text_config")?.get(key));
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A JSON object, or None if there is no such file.
pub(crate) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>> {
    let Some(bytes) = read_limited(path, MAX_CONFIG_BYTES)? else { return Ok(None) };
    let wrong = |finding: String| Error::Tokenizer { path: path.to_path_buf(), finding };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(wrong("expected a JSON object, found another JSON value".into())),
        Err(error) => Err(wrong(format!("not JSON: {error}"))),
    }
}

/// The file's bytes, None if there is none; refuses what is longer than `limit_bytes`.
pub(crate) fn read_limited(path: &Path, limit_bytes: u64) -> Result<Option<Vec<u8>>> {
    let io = |source| Error::Io { path: PathBuf::from(path), action: "read", source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let size_bytes = file.metadata().map_err(io)?.len();
    if size_bytes > limit_bytes {
        return Err(Error::TooLarge { path: path.to_path_buf(), size_bytes, limit_bytes });
    }
    let mut bytes = Vec::new();
    // `take`: a pipe or a growing file has no honest length.
    file.take(limit_bytes).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}
