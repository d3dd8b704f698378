//! What clients may look at: revisions and files.

use serde_json::{Value, json};

use super::{HubServer, Reply, Request, git_hash, sha256};

/// Files with these endings are large ones, whatever their size.
const LARGE: [&str; 4] = [".safetensors", ".parquet", ".gguf", ".bin"];

impl HubServer {
    pub(super) fn read(&self, request: &Request) -> Reply {
        let path = request.path.trim_start_matches('/');
        if let Some(oid) = path.strip_prefix("cdn/") {
            return match self.state().objects.get(oid) {
                Some(bytes) => Reply::file(bytes.clone()),
                None => Reply::error(404, "", "no such object"),
            };
        }
        if let Some(rest) = path.strip_prefix("api/") {
            return self.info(rest, request);
        }
        self.file(path, request)
    }

    /// `models/org/name/revision/REV`, or without a revision.
    fn info(&self, path: &str, request: &Request) -> Reply {
        if path == "whoami-v2" {
            return Reply::json(&json!({"name": "someone", "type": "user", "orgs": []}));
        }
        let tree = path.split_once("/tree/");
        let (repository, revision) = tree.or_else(|| path.split_once("/revision/")).unwrap_or((path, "main"));
        if let Some(refusal) = self.refusal(repository, request) {
            return refusal;
        }
        let state = self.state();
        let found = state
            .repositories
            .get(repository)
            .and_then(|repo| repo.revisions.iter().find(|(name, commit)| *name == revision || commit.sha == revision));
        let Some((_, commit)) = found else {
            return Reply::error(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
        };
        if tree.is_some() {
            return Reply::json(&commit.files.iter().map(|(name, bytes)| entry(name, bytes)).collect());
        }
        let siblings: Vec<_> = commit.files.keys().map(|name| json!({ "rfilename": name })).collect();
        let id = repository.split_once('/').map_or(repository, |(_, id)| id);
        Reply::json(
            &json!({ "id": id, "modelId": id, "sha": commit.sha, "siblings": siblings, "private": false, "tags": [] }),
        )
    }

    /// `[datasets/]org/name/resolve/REV/FILE`.
    fn file(&self, path: &str, request: &Request) -> Reply {
        let Some((repository, rest)) = path.split_once("/resolve/") else {
            return Reply::error(404, "", "no such page");
        };
        let repository = match repository.starts_with("datasets/") {
            true => repository.to_owned(),
            false => format!("models/{repository}"),
        };
        if let Some(refusal) = self.refusal(&repository, request) {
            return refusal;
        }
        let state = self.state();
        let found = state.repositories.get(&repository).and_then(|repo| {
            repo.revisions.iter().find_map(|(name, commit)| {
                let file = rest.strip_prefix(name.as_str()).or_else(|| rest.strip_prefix(commit.sha.as_str()))?;
                Some((commit.sha.clone(), file.strip_prefix('/')?.to_owned(), commit.files.clone()))
            })
        });
        let Some((sha, name, files)) = found else {
            return Reply::error(404, "RevisionNotFound", "Invalid rev id");
        };
        let Some(bytes) = files.get(&name) else {
            return Reply::error(404, "EntryNotFound", "Entry not found").header("X-Repo-Commit", &sha);
        };
        if !LARGE.iter().any(|ending| name.ends_with(ending)) {
            let etag = format!("\"{}\"", git_hash(bytes));
            return Reply::file(bytes.clone()).header("ETag", &etag).header("X-Repo-Commit", &sha);
        }
        let oid = sha256(bytes);
        // By another name of this machine, as the hub's files lie on another host.
        let location = format!("http://localhost:{}/cdn/{oid}", self.port);
        let mut reply = Reply { status: 302, ..Reply::default() };
        reply.headers = vec![
            ("Location".into(), location),
            ("X-Repo-Commit".into(), sha),
            ("X-Linked-Size".into(), bytes.len().to_string()),
            ("X-Linked-Etag".into(), format!("\"{oid}\"")),
            ("ETag".into(), format!("\"{oid}\"")),
        ];
        reply
    }
}

/// A file in the listing of a tree.
fn entry(name: &str, bytes: &[u8]) -> Value {
    let mut entry = json!({ "type": "file", "path": name, "size": bytes.len(), "oid": git_hash(bytes) });
    if LARGE.iter().any(|ending| name.ends_with(ending)) {
        entry["lfs"] = json!({ "oid": sha256(bytes), "size": bytes.len(), "pointerSize": 134 });
    }
    entry
}
