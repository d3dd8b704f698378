//! What can go wrong between us and the hub, in plain words.

/// A hub id looks like a path; somebody may have meant one.
const NOT_HERE: &str = "there is no directory of that name either";

/// Why a repository could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubProblem {
    /// The network is forbidden and the cache does not have it.
    #[error("{variable} forbids the network, and {missing}")]
    Offline {
        /// The variable.
        variable: &'static str,
        /// What the cache lacks.
        missing: String,
    },
    /// No repository, or one that only a token opens.
    #[error("there is no such {kind}, or it is private")]
    NoRepository {
        /// `model`, `dataset`.
        kind: &'static str,
        /// A token was sent.
        with_token: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("it has no revision {revision:?}")]
    NoRevision {
        /// What was asked for.
        revision: String,
    },
    /// The repository has no such file.
    #[error("it has no file {file:?}")]
    NoFile {
        /// What was asked for.
        file: String,
    },
    /// Its authors want to be asked first.
    #[error("it is gated: its authors give access to each account")]
    Gated {
        /// Where to ask.
        page: String,
        /// A token was sent.
        with_token: bool,
    },
    /// The token is wrong, or there is none.
    #[error("the hub does not accept {}", if *with_token { "the token" } else { "a request without a token" })]
    Unauthorized {
        /// A token was sent.
        with_token: bool,
    },
    /// The token, if there is one, is right and not enough.
    #[error("the hub does not allow this{}", colon(message))]
    Forbidden {
        /// The hub's reason.
        message: String,
    },
    /// Another status.
    #[error("the hub answered {method} {path} with status {status}{}", colon(message))]
    Status {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// The answer's status.
        status: u16,
        /// The hub's reason.
        message: String,
    },
    /// No answer.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        host: String,
        /// The network's reason.
        reason: String,
    },
    /// The connection broke, again and again.
    #[error("the transfer of {file} broke off at {done} of {total} bytes, {attempts} times in a row: {reason}")]
    BrokenOff {
        /// The file.
        file: String,
        /// Bytes that are here.
        done: u64,
        /// Bytes that there are.
        total: u64,
        /// How often it was tried without a new byte.
        attempts: u32,
        /// The last reason.
        reason: String,
    },
    /// The bytes are not those that the hub announced.
    #[error("the download of {file} is damaged: its {what} is {found}, the hub announced {expected}")]
    Damaged {
        /// The file.
        file: String,
        /// `length`, `sha256`, `git hash`.
        what: &'static str,
        /// What the hub said.
        expected: String,
        /// What came.
        found: String,
    },
    /// An answer that makes no sense.
    #[error("the hub's answer about {what} cannot be used: {reason}")]
    BadAnswer {
        /// `revision main`, `config.json`.
        what: String,
        /// Why not.
        reason: String,
    },
    /// Weights only in files that can run code.
    #[error("its weights are pickle files ({files}), which can run any code when they are read")]
    Pickle {
        /// Some of them.
        files: String,
    },
    /// Neither a model nor an adapter.
    #[error("it holds no model that can be read: {missing}")]
    NoModel {
        /// What would be needed.
        missing: String,
    },
}

fn colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl HubProblem {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let log_in = "set HF_TOKEN, or log in with Python's `hf auth login`, and start the engine again";
        Some(match self {
            HubProblem::Offline { variable, .. } => {
                format!("unset {variable} to download it, or give a directory ({NOT_HERE})")
            }
            HubProblem::NoRepository { with_token: false, .. } => {
                format!("check the name ({NOT_HERE}); if it is private, {log_in}")
            }
            HubProblem::NoRepository { with_token: true, .. } => {
                format!("check the name ({NOT_HERE}), and that the token's account may read it")
            }
            HubProblem::NoRevision { .. } => "give a branch, a tag or a commit, as org/name@main".into(),
            HubProblem::Gated { page, with_token: true } => {
                format!("ask for access at {page} with the account of your token")
            }
            HubProblem::Gated { page, with_token: false } => format!("ask for access at {page}, then {log_in}"),
            HubProblem::Unauthorized { with_token: false } => log_in.into(),
            HubProblem::Unauthorized { with_token: true } => {
                "the token may have expired: make a new one and set HF_TOKEN".into()
            }
            HubProblem::Forbidden { .. } => {
                "use a token that may do this with this repository (to push, one with write access)".into()
            }
            HubProblem::Status { status: 429, .. } => "the hub asks for patience: try again in some minutes".into(),
            HubProblem::Status { status: 500.., .. } => "the hub has a problem: try again later".into(),
            HubProblem::Unreachable { .. } => {
                format!(
                    "check the network and HF_ENDPOINT ({NOT_HERE}); a model in the cache loads without the network"
                )
            }
            HubProblem::BrokenOff { .. } => "run it again: the transfer goes on where it stopped".into(),
            HubProblem::Damaged { .. } => "the damaged file was removed: run it again".into(),
            HubProblem::Pickle { .. } => "use a revision with safetensors (the hub's converter opens a pull request: \
                org/name@refs/pr/1), or convert it: `AutoModelForCausalLM.from_pretrained(…).save_pretrained(DIR)`"
                .into(),
            HubProblem::NoModel { .. } => {
                "needed: config.json with model.safetensors, or adapter_config.json with adapter_model.safetensors"
                    .into()
            }
            _ => return None,
        })
    }

    /// Trying again later may help, and a copy in the cache will do meanwhile.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            HubProblem::Unreachable { .. } | HubProblem::BrokenOff { .. } => true,
            HubProblem::Status { status, .. } => is_passing_status(*status),
            _ => false,
        }
    }
}

/// Statuses that pass: too many requests, and faults of the server.
pub(super) fn is_passing_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}
