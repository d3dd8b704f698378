//! What the environment says about the hub, as values; the token is never shown.

use std::path::PathBuf;

/// Where the hub is, if nobody says otherwise.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// A secret: no `Debug`, `Display` or serialization shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token without the white space around it; `None` if nothing is left, or if it could not be
    /// a header's value.
    pub fn new(text: &str) -> Option<Token> {
        let text = text.trim();
        let usable = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        usable.then(|| Token(text.to_owned()))
    }

    /// The value of an `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Settings of the hub, with the names and defaults of Python's `huggingface_hub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// `HF_ENDPOINT`, without a slash at its end.
    pub endpoint: String,
    /// `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`.
    pub cache: Option<PathBuf>,
    /// `HF_TOKEN`.
    pub token: Option<Token>,
    /// `HF_TOKEN_PATH`, else `$HF_HOME/token`: read when `HF_TOKEN` is absent.
    pub token_file: Option<PathBuf>,
    /// The variable that forbids the network, if one does.
    pub offline: Option<&'static str>,
}

impl Default for HubSettings {
    fn default() -> Self {
        HubSettings { endpoint: DEFAULT_ENDPOINT.to_owned(), cache: None, token: None, token_file: None, offline: None }
    }
}

impl HubSettings {
    /// From variables; `home_cache` is `~/.cache`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>, home_cache: Option<PathBuf>) -> HubSettings {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let home = given("HF_HOME").map(PathBuf::from).or(home_cache.map(|cache| cache.join("huggingface")));
        let cache = given("HF_HUB_CACHE").or_else(|| given("HUGGINGFACE_HUB_CACHE")).map(PathBuf::from);
        let token = given("HF_TOKEN").or_else(|| given("HUGGING_FACE_HUB_TOKEN"));
        let is_on = |name: &&'static str| {
            given(name).is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str()))
        };
        let endpoint = given("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        HubSettings {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            cache: cache.or_else(|| home.as_ref().map(|home| home.join("hub"))),
            token: token.as_deref().and_then(Token::new),
            token_file: given("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| home.map(|home| home.join("token"))),
            offline: ["LUTHIER_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().find(is_on),
        }
    }

    /// The environment's token, else the one in the token file.
    pub(super) fn current_token(&self) -> Option<Token> {
        let from_file = || {
            let text = crate::files::read_text(self.token_file.as_deref()?, 4096).ok()?;
            Token::new(&text)
        };
        self.token.clone().or_else(from_file)
    }
}
