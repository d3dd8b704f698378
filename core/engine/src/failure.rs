//! From errors to what a client is told: a kind, the text, advice, and the key to blame.

use luthier_protocol::{Failure, FailureKind};

use crate::Error;

/// Names nearer than this are worth suggesting (Jaro-Winkler, 1 is equal).
const NEAR: f64 = 0.75;

/// Known names listed in a hint at most.
const MAX_LISTED: usize = 12;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let (error, pointer) = match error {
            Error::At { pointer, source } => (*source, Some(pointer.to_owned())),
            error => (error, None),
        };
        let pointer = own_pointer(&error).or(pointer);
        let mut failure = Failure::new(kind(&error), error.to_string());
        failure.hint = hint(&error);
        match pointer {
            Some(pointer) => failure.at(pointer),
            None => failure,
        }
    }
}

fn kind(error: &Error) -> FailureKind {
    match error {
        Error::ProjectDir { .. } | Error::BadName { .. } | Error::Invalid { .. } => FailureKind::InvalidRequest,
        Error::RunState { .. } => FailureKind::InvalidRequest,
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => FailureKind::NotFound,
        Error::Io { .. } | Error::Store { .. } | Error::NotAStore { .. } => FailureKind::Storage,
        Error::StoreTooNew { .. } | Error::Stored { .. } => FailureKind::Storage,
        Error::Unknown { .. } => FailureKind::NotFound,
        Error::Hub { problem, .. } => hub_kind(problem),
        Error::Exists { .. } => FailureKind::AlreadyExists,
        Error::Fetch { .. } => FailureKind::NotFound,
        Error::Build { .. } | Error::Compile { .. } | Error::Digest { .. } => FailureKind::Plugin,
        Error::NotTrusted { .. } | Error::GuestBuild(_) => FailureKind::Plugin,
        Error::PromptMismatch { .. } | Error::RunChanged { .. } => FailureKind::InvalidRequest,
        Error::NotReviewed { .. } => FailureKind::Data,
        Error::Interrupted { .. } => FailureKind::Interrupted,
        Error::ShuttingDown => FailureKind::EngineLost,
        Error::NotTheSame { .. } => FailureKind::Model,
        Error::Model(error) => model_kind(error),
        Error::Data(error) => data_kind(error),
        Error::Train(error) => train_kind(error),
        Error::NotFinite { .. } => FailureKind::Training,
        Error::LanguageModel(luthier_lm::Error::Interrupted) => FailureKind::Interrupted,
        Error::LanguageModel(_) => FailureKind::Model,
        Error::Synth(error) => synth_kind(error),
        Error::Eval(error) => eval_kind(error),
        Error::Plugin(luthier_plugin_host::Error::Interrupted { .. }) => FailureKind::Interrupted,
        Error::Plugin(luthier_plugin_host::Error::InvalidConfig { .. }) => FailureKind::InvalidRequest,
        Error::Plugin(_) => FailureKind::Plugin,
        Error::At { source, .. } => kind(source),
    }
}

fn hub_kind(problem: &crate::hub::HubProblem) -> FailureKind {
    use crate::hub::HubProblem::{NoFile, NoModel, NoRepository, NoRevision, Offline, Pickle};
    match problem {
        NoRepository { .. } | NoRevision { .. } | NoFile { .. } | Offline { .. } => FailureKind::NotFound,
        NoModel { .. } | Pickle { .. } => FailureKind::Model,
        _ => FailureKind::Hub,
    }
}

fn model_kind(error: &luthier_model::Error) -> FailureKind {
    use luthier_model::Error::{Export, Interrupted, InvalidAdapter, InvalidGeneration, UnknownModule};
    match error {
        Interrupted => FailureKind::Interrupted,
        UnknownModule { .. } | InvalidAdapter { .. } | InvalidGeneration { .. } | Export { .. } => {
            FailureKind::InvalidRequest
        }
        _ => FailureKind::Model,
    }
}

fn data_kind(error: &luthier_data::Error) -> FailureKind {
    use luthier_data::Error::{
        ChatTemplate, InRow, Interrupted, Io, Renderer, Splits, Tokenize, Tokenizer, UnknownFinding, UnknownFormat,
    };
    match error {
        InRow { source, .. } if matches!(**source, Renderer { .. }) => FailureKind::Plugin,
        Interrupted => FailureKind::Interrupted,
        UnknownFinding { .. } => FailureKind::InvalidRequest,
        Tokenizer { .. } | Tokenize { .. } | ChatTemplate { .. } => FailureKind::Model,
        Renderer { .. } => FailureKind::Plugin,
        Splits { .. } | UnknownFormat { .. } => FailureKind::InvalidRequest,
        Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => FailureKind::NotFound,
        Io { .. } => FailureKind::Storage,
        _ => FailureKind::Data,
    }
}

fn synth_kind(error: &luthier_synth::Error) -> FailureKind {
    use luthier_synth::Error::{
        ColumnsChanged, DoesNotAsk, DoesNotGenerate, Interrupted, Journal, Model, NothingRequested, Template,
        WrongNumberOfRows,
    };
    match error {
        Interrupted => FailureKind::Interrupted,
        Model(_) => FailureKind::Model,
        Journal { .. } => FailureKind::Storage,
        DoesNotGenerate { .. } | DoesNotAsk { .. } | NothingRequested => FailureKind::InvalidRequest,
        Template { .. } | WrongNumberOfRows { .. } | ColumnsChanged { .. } => FailureKind::Plugin,
        _ => FailureKind::Data,
    }
}

fn eval_kind(error: &luthier_eval::Error) -> FailureKind {
    match error {
        luthier_eval::Error::Metric { .. } | luthier_eval::Error::WrongNumberOfScores { .. } => FailureKind::Plugin,
        _ => FailureKind::Data,
    }
}

fn train_kind(error: &luthier_train::Error) -> FailureKind {
    use luthier_train::Error::{
        CheckpointNotWritten, CheckpointVersion, CorruptCheckpoint, InvalidConfig, Io, Model, NoReadableCheckpoint,
    };
    match error {
        InvalidConfig { .. } => FailureKind::InvalidRequest,
        CheckpointNotWritten { .. } | Io { .. } | CorruptCheckpoint { .. } => FailureKind::Storage,
        NoReadableCheckpoint { .. } | CheckpointVersion { .. } => FailureKind::Storage,
        Model(error) => model_kind(error),
        _ => FailureKind::Training,
    }
}

/// Settings of an adapter that a recipe has under the same name.
const ADAPTER_KEYS: [&str; 10] = [
    "r",
    "alpha",
    "dropout",
    "target_modules",
    "exclude_modules",
    "layers",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "bias",
];

/// Errors that name a key themselves know it better than whoever passed them on.
fn own_pointer(error: &Error) -> Option<String> {
    use luthier_model::Error::{InvalidAdapter, UnknownModule};
    match error {
        Error::Train(luthier_train::Error::InvalidConfig { key, .. }) => Some(format!("/train/{key}")),
        Error::Model(UnknownModule { .. }) => Some("/lora/target_modules".to_owned()),
        Error::Model(InvalidAdapter { setting, .. }) if ADAPTER_KEYS.contains(&setting.as_str()) => {
            Some(format!("/lora/{setting}"))
        }
        Error::Data(luthier_data::Error::TooLong { .. }) => Some("/train/max_seq_len".to_owned()),
        Error::Plugin(luthier_plugin_host::Error::InvalidConfig { issues, .. }) => {
            Some(format!("/config{}", issues.first().map_or("", |issue| &issue.pointer)))
        }
        _ => None,
    }
}

fn hint(error: &Error) -> Option<String> {
    match error {
        Error::Unknown { what, name, known } => Some(suggest(what, name, known)),
        Error::Hub { problem, .. } => problem.hint(),
        Error::NotTheSame { .. } => {
            Some("nothing was kept; export with more bits (`--dtype F32`, `--quant Q8_0`)".into())
        }
        Error::Model(luthier_model::Error::UnknownModule { module, known }) => {
            let known: Vec<String> = known.split(", ").map(str::to_owned).collect();
            Some(suggest("module", module, &known))
        }
        Error::Exists { what, .. } => {
            Some(format!("choose another name, or set `overwrite = true` to replace the {what}"))
        }
        Error::RunState { advice, .. } => Some(advice.clone()),
        Error::Interrupted { advice, .. } => advice.clone(),
        Error::PromptMismatch { what: "prompt renderer", .. } => Some(
            "train the adapter again through this template, or ask through the dataset that it was trained on".into(),
        ),
        Error::PromptMismatch { what: "base model", adapter, .. } => Some(format!(
            "give it the base that it was trained on, or use it on this one all the same: `load {adapter} --accept-base`"
        )),
        Error::PromptMismatch { .. } => {
            Some("use the base model's files as they were when the adapter was trained, or train again".into())
        }
        Error::RunChanged { .. } => Some("start a new run with `finetune`".into()),
        Error::StoreTooNew { .. } => {
            Some("this project was used by a newer luthier: upgrade, or start the newer engine".into())
        }
        Error::NotAStore { path } => Some(format!("move {} away", path.display())),
        Error::NotFinite { .. } => Some(
            "lower `learning_rate`, or set `max_grad_norm`; `show` with --tokens shows the rows. The last checkpoint is \
             as it was before"
                .into(),
        ),
        Error::NotReviewed { data, split, .. } => Some(format!(
            "`%review {data} --split {split}` shows the next ones; --accept, --reject and --correct judge them"
        )),
        Error::ShuttingDown => Some("run it again: a new engine is started on demand".into()),
        Error::Io { source, .. } => disk_hint(source),
        Error::Data(luthier_data::Error::Lint { findings }) => Some(lint_hint(findings)),
        Error::Train(luthier_train::Error::CheckpointNotWritten { source, .. }) => disk_hint(source),
        Error::At { source, .. } => hint(source),
        _ => None,
    }
}

/// Which keys let the findings pass.
fn lint_hint(findings: &[luthier_protocol::response::Finding]) -> String {
    let mut names: Vec<String> = findings.iter().map(|finding| format!("{:?}", finding.name)).collect();
    names.dedup();
    format!(
        "look at the rows with `%show NAME --tokens MODEL`; `allow = [{}]` lets them pass, on record",
        names.join(", ")
    )
}

fn disk_hint(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => Some("the disk is full: free some space, then go on with `resume`".into()),
        PermissionDenied => Some("check the permissions of the directory".into()),
        _ => None,
    }
}

/// The nearest known name, or all of them.
fn suggest(what: &str, name: &str, known: &[String]) -> String {
    let distance = |candidate: &&String| strsim::jaro_winkler(name, candidate);
    let nearest = known.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)));
    if let Some(nearest) = nearest.filter(|candidate| distance(candidate) >= NEAR) {
        return format!("did you mean {nearest:?}?");
    }
    match known {
        [] => format!("there is no {what} yet"),
        _ => {
            let listed: Vec<_> = known.iter().take(MAX_LISTED).map(|name| format!("{name:?}")).collect();
            let more = if known.len() > MAX_LISTED { ", …" } else { "" };
            format!("known: {}{more}", listed.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
