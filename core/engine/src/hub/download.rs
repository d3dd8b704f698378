//! A repository's files in the cache: which commit, which files, one after the other.

use std::path::{Path, PathBuf};

use super::cache::RepoCache;
use super::client::{Asked, Call, Hub, hub_error};
use super::id::is_commit;
use super::transfer::{Wanted, fetch};
use super::{HubProblem, RepoId, Watch, select, verify};
use crate::Error;

/// A repository at one commit, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The repository, pinned to the commit.
    pub repo: RepoId,
    /// Where its files are.
    pub dir: PathBuf,
    /// Files that had to be downloaded.
    pub n_downloaded: usize,
}

/// What the hub says of a revision.
#[derive(Debug, serde::Deserialize)]
struct RepoInfo {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, serde::Deserialize)]
struct Sibling {
    rfilename: String,
}

/// What the hub says of one file.
struct Remote {
    etag: String,
    size: u64,
}

impl Hub {
    /// A model or adapter, from the cache if it is whole there. `refresh` asks the hub what the
    /// revision is now; a commit never changes, so it is not asked for again.
    ///
    /// # Errors
    /// [`Error::Hub`] with what the hub, the network or the files say; [`Error::Interrupted`].
    pub fn model(&self, repo: &RepoId, refresh: bool, watch: Watch<'_>) -> Result<Snapshot, Error> {
        let cache = RepoCache::new(self.root(repo)?, repo);
        let cached = cache.commit().map(|commit| (cache.snapshot(&commit), commit));
        let lacks = match &cached {
            Some((dir, _)) if dir.is_dir() => select::lacks(dir),
            _ => Some("any of its files".into()),
        };
        let whole = cached.filter(|_| lacks.is_none()).map(|(dir, commit)| Snapshot {
            repo: repo.at(&commit),
            dir,
            n_downloaded: 0,
        });
        let is_fixed = is_commit(&repo.revision);
        if let Some(variable) = self.settings.offline {
            let root = cache.snapshot("").display().to_string();
            let missing = format!("the cache {root} lacks {}", lacks.unwrap_or_default());
            return whole.ok_or_else(|| hub_error(repo, HubProblem::Offline { variable, missing }));
        }
        match whole {
            Some(whole) if is_fixed || !refresh => Ok(whole),
            Some(whole) => match self.download(repo, &cache, watch) {
                Err(Error::Hub { problem, .. }) if problem.is_passing() => {
                    let commit = whole.repo.revision.get(..12).unwrap_or_default().to_owned();
                    (watch.warn)(format!("{repo}: {problem}; the cached commit {commit} is used"));
                    Ok(whole)
                }
                outcome => outcome,
            },
            None => self.download(repo, &cache, watch),
        }
    }

    /// A model that is in the cache, without a look at the network.
    pub fn cached(&self, repo: &RepoId) -> Option<Snapshot> {
        let cache = RepoCache::new(self.settings.cache.as_deref()?, repo);
        let commit = cache.commit()?;
        let dir = cache.snapshot(&commit);
        (dir.is_dir() && select::lacks(&dir).is_none()).then(|| Snapshot {
            repo: repo.at(&commit),
            dir,
            n_downloaded: 0,
        })
    }

    /// The names of all files of a repository.
    ///
    /// # Errors
    /// As [`Hub::model`].
    pub fn names(&self, repo: &RepoId, watch: Watch<'_>) -> Result<Vec<String>, Error> {
        if let Some(variable) = self.settings.offline {
            let missing = "the list of files is on the hub".to_owned();
            return Err(hub_error(repo, HubProblem::Offline { variable, missing }));
        }
        let siblings = self.info(repo, watch)?.siblings;
        Ok(siblings.into_iter().map(|file| file.rfilename).filter(|name| select::is_plain_path(name)).collect())
    }

    /// All files of a dataset repository below `folder` that `wanted` takes, in the cache.
    pub fn files(
        &self,
        repo: &RepoId,
        wanted: impl Fn(&str) -> bool,
        watch: Watch<'_>,
    ) -> Result<(Snapshot, Vec<String>), Error> {
        if let Some(variable) = self.settings.offline {
            let missing = format!("the files of {repo} must be asked for");
            return Err(hub_error(repo, HubProblem::Offline { variable, missing }));
        }
        let cache = RepoCache::new(self.root(repo)?, repo);
        let info = self.info(repo, watch)?;
        let names: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        let names: Vec<String> = names.into_iter().filter(|name| select::is_plain_path(name) && wanted(name)).collect();
        let mut n_downloaded = 0;
        for name in &names {
            n_downloaded += usize::from(self.file(repo, &info.sha, name, &cache, watch)?);
        }
        if !names.is_empty() {
            cache.remember(&info.sha)?;
        }
        let snapshot = Snapshot { repo: repo.at(&info.sha), dir: cache.snapshot(&info.sha), n_downloaded };
        Ok((snapshot, names))
    }

    fn root(&self, repo: &RepoId) -> Result<&Path, Error> {
        let missing = || HubProblem::NoModel { missing: "there is no cache directory: set HF_HOME".into() };
        self.settings.cache.as_deref().ok_or_else(|| hub_error(repo, missing()))
    }

    fn download(&self, repo: &RepoId, cache: &RepoCache, watch: Watch<'_>) -> Result<Snapshot, Error> {
        let info = self.info(repo, watch)?;
        let dir = cache.snapshot(&info.sha);
        let names: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        let plain: Vec<String> = names.into_iter().filter(|name| select::is_plain_name(name)).collect();
        let mut n_downloaded = 0;
        let first = select::first(&plain).map_err(|problem| hub_error(repo, problem))?;
        for name in &first {
            n_downloaded += usize::from(self.file(repo, &info.sha, name, cache, watch)?);
        }
        for name in select::shards(&dir)? {
            if !plain.contains(&name) {
                let missing = format!("model.safetensors.index.json names {name}, which the repository does not have");
                return Err(hub_error(repo, HubProblem::NoModel { missing }));
            }
            n_downloaded += usize::from(self.file(repo, &info.sha, &name, cache, watch)?);
        }
        cache.remember(&info.sha)?;
        Ok(Snapshot { repo: repo.at(&info.sha), dir, n_downloaded })
    }

    /// Commit and file names of a revision.
    fn info(&self, repo: &RepoId, watch: Watch<'_>) -> Result<RepoInfo, Error> {
        let url = self.api(repo, &format!("/revision/{}", repo.revision_part()));
        let bad = |reason: String| {
            hub_error(repo, HubProblem::BadAnswer { what: format!("revision {}", repo.revision), reason })
        };
        let value = self.json(repo, &Call::get(url), Asked::Repository, watch)?;
        let info: RepoInfo = serde_json::from_value(value).map_err(|error| bad(error.to_string()))?;
        if !is_commit(&info.sha) {
            return Err(bad(format!("the commit is {:?}", super::client::clean(&info.sha, None))));
        }
        Ok(info)
    }

    /// Have one file in the snapshot; whether it had to be downloaded.
    fn file(
        &self,
        repo: &RepoId,
        commit: &str,
        name: &str,
        cache: &RepoCache,
        watch: Watch<'_>,
    ) -> Result<bool, Error> {
        let url = format!("{}/resolve/{commit}/{}", self.page(repo), percent_encoded(name));
        let remote = self.remote(repo, commit, name, &url, watch)?;
        let blob = cache.blob(&remote.etag);
        let is_there = || std::fs::metadata(&blob).is_ok_and(|metadata| metadata.len() == remote.size);
        if is_there() {
            cache.link(commit, name, &remote.etag)?;
            return Ok(false);
        }
        let _lock = cache.lock(&remote.etag, watch)?;
        if !is_there() {
            if let Some(parent) = blob.parent() {
                std::fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, source))?;
            }
            let mut part = blob.clone().into_os_string();
            part.push(".incomplete");
            let part = PathBuf::from(part);
            fetch(self, &Wanted { repo, file: name, url, size: remote.size }, &part, watch)?;
            if let Some(problem) = verify::check(&part, name, &remote.etag, remote.size)? {
                std::fs::remove_file(&part).map_err(|source| Error::io("remove", &part, source))?;
                return Err(hub_error(repo, problem));
            }
            std::fs::rename(&part, &blob).map_err(|source| Error::io("move", &part, source))?;
        }
        cache.link(commit, name, &remote.etag)?;
        Ok(true)
    }

    fn remote(&self, repo: &RepoId, commit: &str, name: &str, url: &str, watch: Watch<'_>) -> Result<Remote, Error> {
        let call = Call::head(url.to_owned()).header("accept-encoding", "identity");
        let response = self.answer(repo, &call, Asked::File(name), watch)?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let bad = |reason: String| hub_error(repo, HubProblem::BadAnswer { what: name.to_owned(), reason });
        if let Some(found) = header("x-repo-commit").filter(|found| *found != commit) {
            return Err(bad(format!(
                "it is of commit {:?}, asked for was {commit}",
                super::client::clean(found, None)
            )));
        }
        let etag = header("x-linked-etag").or(header("etag")).unwrap_or_default();
        let etag = verify::etag_name(etag).ok_or_else(|| bad(format!("its ETag is {etag:?}")))?;
        let size = header("x-linked-size").or(header("content-length")).unwrap_or("absent");
        let size = size.parse().map_err(|_| bad(format!("its length is {size:?}")))?;
        Ok(Remote { etag, size })
    }
}

/// A path as part of an address.
pub(super) fn percent_encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte);
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
