//! `plugins.lock` in a project: which plugins, by digest, and what each may do. To be kept with the
//! project; the components themselves lie in `.luthier/plugins/`.

use std::path::PathBuf;

use luthier_protocol::response::PluginInfo;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::files::read_text;
use crate::project::Project;

const FILE_NAME: &str = "plugins.lock";
const MAX_BYTES: u64 = 1 << 20;
const VERSION: u32 = 1;
const HEADER: &str =
    "# Installed plugins, by digest. Written by `luthier plugin install`; keep it with the project.\n\n";

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Locked>,
}

/// One installed plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Locked {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) summary: String,
    pub(crate) world: String,
    /// What it may use.
    pub(crate) imports: Vec<String>,
    /// `sha256:…` of the component.
    pub(crate) digest: String,
    pub(crate) size_bytes: u64,
    /// Where it came from.
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) license: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signed_by: Option<String>,
}

impl Lock {
    /// What the project has; nothing if there is no file.
    pub(crate) fn read(project: &Project) -> Result<Lock, Error> {
        let path = project.resolve(FILE_NAME);
        if !path.exists() {
            return Ok(Lock { version: VERSION, plugins: Vec::new() });
        }
        let text = read_text(&path, MAX_BYTES)?;
        let stored = |found: String| Error::Stored { path: path.clone(), expected: "a list of plugins", found };
        let lock: Lock = toml::from_str(&text).map_err(|error| stored(error.to_string()))?;
        match lock.version {
            VERSION => Ok(lock),
            other => Err(stored(format!("version {other}; this engine reads version {VERSION}"))),
        }
    }

    pub(crate) fn plugins(&self) -> &[Locked] {
        &self.plugins
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Locked> {
        self.plugins.iter().find(|locked| locked.id == id)
    }

    /// With this plugin instead of one of the same id.
    pub(crate) fn put(&mut self, locked: Locked) {
        self.plugins.retain(|other| other.id != locked.id);
        self.plugins.push(locked);
        self.plugins.sort_by(|a, b| a.id.cmp(&b.id));
    }

    /// Without this plugin; what it was.
    pub(crate) fn take(&mut self, id: &str) -> Option<Locked> {
        let position = self.plugins.iter().position(|locked| locked.id == id)?;
        Some(self.plugins.remove(position))
    }

    pub(crate) fn write(&self, project: &Project) -> Result<(), Error> {
        let path = project.resolve(FILE_NAME);
        let text = toml::to_string(self);
        let text = text.map_err(|error| Error::io("encode", &path, std::io::Error::other(error)))?;
        luthier_data::atomic::write(&path, (HEADER.to_owned() + &text).as_bytes())
            .map_err(|source| Error::io("write", &path, source))
    }
}

impl Locked {
    /// Its file.
    pub(crate) fn path(&self, project: &Project) -> PathBuf {
        let digest = self.digest.strip_prefix("sha256:").unwrap_or(&self.digest);
        // A lock file comes from elsewhere: only a digest may name a file.
        let digest: String = digest.chars().filter(char::is_ascii_hexdigit).take(64).collect();
        project.dir().join("plugins").join(format!("{digest}.wasm"))
    }

    /// Its bytes, if they are those that were installed.
    pub(crate) fn component(&self, project: &Project) -> Result<Vec<u8>, Error> {
        let path = self.path(project);
        if !path.exists() {
            let finding =
                format!("it is in plugins.lock and not on this machine; run `%plugin install {}`", self.source);
            return Err(Error::Fetch { address: format!("plugin {:?}", self.id), finding });
        }
        let bytes = super::read_component(&path)?;
        let found = luthier_plugin_host::audit::digest(&bytes);
        if found != self.digest {
            return Err(Error::Digest { plugin: self.id.clone(), expected: self.digest.clone(), found });
        }
        Ok(bytes)
    }

    pub(crate) fn info(&self) -> PluginInfo {
        PluginInfo {
            id: self.id.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
            summary: self.summary.clone(),
            imports: self.imports.clone(),
            digest: self.digest.clone(),
            size_bytes: self.size_bytes,
            source: self.source.clone(),
        }
    }
}
