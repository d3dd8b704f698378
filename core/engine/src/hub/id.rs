//! `org/name@revision`: which repository, in which state.

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// Models and adapters.
    Model,
    /// Datasets.
    Dataset,
}

impl RepoKind {
    /// As in the API's paths: `models`, `datasets`.
    pub(super) fn plural(self) -> &'static str {
        match self {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        }
    }

    /// As in the API's bodies.
    pub(super) fn singular(self) -> &'static str {
        match self {
            RepoKind::Model => "model",
            RepoKind::Dataset => "dataset",
        }
    }
}

/// A repository of the hub and a revision of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoId {
    /// Model or dataset.
    pub kind: RepoKind,
    /// `org/name`.
    pub id: String,
    /// Branch, tag, pull request (`refs/pr/1`) or commit.
    pub revision: String,
    /// Somebody wrote the revision down.
    pub is_pinned: bool,
}

/// Whether a name can only be meant as a hub id: `org/name`, with or without a revision.
pub fn is_hub_name(name: &str) -> bool {
    RepoId::parse(RepoKind::Model, name).is_some()
}

impl RepoId {
    /// `org/name` or `org/name@revision`, with the characters that the hub allows.
    pub fn parse(kind: RepoKind, text: &str) -> Option<RepoId> {
        let (id, revision) = match text.split_once('@') {
            Some((id, revision)) => (id, Some(revision)),
            None => (text, None),
        };
        let (org, name) = id.split_once('/')?;
        let good = is_part(org) && is_part(name) && revision.is_none_or(is_revision);
        good.then(|| RepoId {
            kind,
            id: id.to_owned(),
            revision: revision.unwrap_or("main").to_owned(),
            is_pinned: revision.is_some(),
        })
    }

    /// The same repository at another revision.
    pub fn at(&self, revision: &str) -> RepoId {
        RepoId { revision: revision.to_owned(), is_pinned: true, ..self.clone() }
    }

    /// The repository's folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.id.replace('/', "--"))
    }

    /// The revision as one part of an address.
    pub(super) fn revision_part(&self) -> String {
        self.revision.replace('/', "%2F")
    }
}

impl std::fmt::Display for RepoId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_pinned {
            true => write!(formatter, "{}@{}", self.id, self.revision),
            false => formatter.write_str(&self.id),
        }
    }
}

fn is_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.len() <= 96 && !part.starts_with(['.', '-']) && part.chars().all(plain)
}

/// A revision becomes a path below `refs/`: nothing in it may lead out again.
fn is_revision(revision: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let part = |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && part.chars().all(plain);
    revision.len() <= 200 && revision.split('/').all(part)
}

/// The 40 hexadecimal digits of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
