//! What clients may send: new repositories, large files, commits.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{HubServer, Reply, Request, sha256};

/// Files from this size on are large ones, like the hub's.
const LARGE_BYTES: u64 = 10_000;

impl HubServer {
    pub(super) fn write(&self, request: &Request) -> Reply {
        let path = request.path.trim_start_matches('/');
        if let Some(oid) = path.strip_prefix("lfs/") {
            return self.put(oid, request);
        }
        if request.header("authorization").is_none() {
            return Reply::error(401, "", "Invalid username or password.");
        }
        if path == "api/repos/create" {
            return self.create(&request.json());
        }
        if path == "api/validate-yaml" {
            return Reply::json(&json!({"errors": [], "warnings": []}));
        }
        if let Some(repository) = path.strip_suffix(".git/info/lfs/objects/batch") {
            return self.batch(repository, request);
        }
        let Some(path) = path.strip_prefix("api/") else { return Reply::error(404, "", "no such page") };
        if let Some((repository, _)) = path.split_once("/preupload/") {
            return self.refusal(repository, request).unwrap_or_else(|| preupload(&request.json()));
        }
        match path.split_once("/commit/") {
            Some((repository, revision)) => {
                self.refusal(repository, request).unwrap_or_else(|| self.take_commit(repository, revision, request))
            }
            None => Reply::error(404, "", "no such page"),
        }
    }

    fn create(&self, body: &Value) -> Reply {
        let kind = body["type"].as_str().unwrap_or("model");
        let (org, name) = (body["organization"].as_str().unwrap_or("someone"), body["name"].as_str().unwrap_or(""));
        let key = format!("{kind}s/{org}/{name}");
        let url = format!("{}/{org}/{name}", self.endpoint());
        if self.look(&key).is_some() {
            return Reply {
                status: 409,
                ..Reply::json(&json!({ "error": "You already created this repo", "url": url }))
            };
        }
        self.commit(&key, "main", Default::default());
        Reply::json(&json!({ "url": url, "name": format!("{org}/{name}"), "id": "1" }))
    }

    fn batch(&self, repository: &str, request: &Request) -> Reply {
        let key = if repository.starts_with("datasets/") { repository.into() } else { format!("models/{repository}") };
        if let Some(refusal) = self.refusal(&key, request) {
            return refusal;
        }
        let body = request.json();
        let state = self.state();
        let objects: Vec<Value> = body["objects"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|object| {
                let oid = object["oid"].as_str().unwrap_or_default();
                let mut answer = json!({ "oid": oid, "size": object["size"] });
                if !state.objects.contains_key(oid) {
                    answer["actions"] =
                        json!({ "upload": { "href": format!("http://localhost:{}/lfs/{oid}", self.port) } });
                }
                answer
            })
            .collect();
        let mut reply = Reply::json(&json!({ "transfer": "basic", "objects": objects }));
        reply.headers = vec![("Content-Type".into(), "application/vnd.git-lfs+json".into())];
        reply
    }

    fn put(&self, oid: &str, request: &Request) -> Reply {
        let found = sha256(&request.body);
        if found != oid {
            return Reply::error(400, "", &format!("sha256 is {found}, expected {oid}"));
        }
        self.state().objects.insert(found, request.body.clone());
        Reply { status: 200, ..Reply::default() }
    }

    fn take_commit(&self, repository: &str, revision: &str, request: &Request) -> Reply {
        let before = self.look(repository).and_then(|repo| repo.revisions.get(revision).cloned());
        let mut files = before.map(|commit| commit.files).unwrap_or_default();
        for line in String::from_utf8_lossy(&request.body).lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            let value = &line["value"];
            let path = value["path"].as_str().unwrap_or_default().to_owned();
            match line["key"].as_str() {
                Some("header") => {}
                Some("file") => {
                    let content = value["content"].as_str().unwrap_or_default();
                    let Ok(bytes) = BASE64.decode(content.as_bytes()) else {
                        return Reply::error(400, "", "not base64");
                    };
                    files.insert(path, bytes);
                }
                Some("lfsFile") => match self.state().objects.get(value["oid"].as_str().unwrap_or_default()) {
                    Some(bytes) if Some(bytes.len() as u64) == value["size"].as_u64() => {
                        files.insert(path, bytes.clone());
                    }
                    _ => return Reply::error(400, "", "a large file was not uploaded"),
                },
                Some("deletedFile") => {
                    files.remove(&path);
                }
                other => return Reply::error(400, "", &format!("unknown operation {other:?}")),
            }
        }
        let sha = self.commit(repository, revision, files);
        let id = repository.split_once('/').map_or(repository, |(_, id)| id);
        let url = format!("{}/{id}/commit/{sha}", self.endpoint());
        Reply::json(&json!({ "success": true, "commitOid": sha, "commitUrl": url, "hookOutput": "" }))
    }
}

fn preupload(body: &Value) -> Reply {
    let files: Vec<Value> = body["files"].as_array().into_iter().flatten().map(|file| {
        let is_large = file["size"].as_u64() >= Some(LARGE_BYTES);
        let path = &file["path"];
        json!({ "path": path, "uploadMode": if is_large { "lfs" } else { "regular" }, "shouldIgnore": false, "oid": null })
    }).collect();
    Reply::json(&json!({ "files": files }))
}
