//! Installing: parse, audit, compile in a child, check the world, replay golden cases, lock the digest.

use std::path::Path;

use luthier_plugin_host::{Package, Plugin, builtin, golden};
use luthier_protocol::plugin::PluginCheck;

use super::lock::{Lock, Locked};
use super::{describe, fetch};
use crate::Error;
use crate::files::read_text;
use crate::project::Project;
use crate::service::Context;

/// Keys that a project trusts, one per line in hexadecimal. With this file, every install must be signed.
const TRUSTED_KEYS: &str = "trusted-keys.txt";
const MAX_KEYS_BYTES: u64 = 64 << 10;

/// A plugin that is in `plugins.lock` now.
pub(crate) struct Installed {
    pub(crate) plugin: Plugin,
    pub(crate) package: Package,
    pub(crate) source: String,
    pub(crate) checks: Vec<PluginCheck>,
}

/// Installs from a file, a folder or an address. Nothing of it runs before its imports were looked at.
pub(crate) fn install(context: Context<'_>, source: &str) -> Result<Installed, Error> {
    let plugins = &context.engine.plugins;
    let mut checks = Vec::new();
    let mut passed = |name: &str, detail: String| {
        checks.push(PluginCheck { name: name.to_owned(), passed: true, detail });
    };
    let fetched = fetch(context.project, source, plugins.build_dir())?;
    passed("fetched", format!("{} bytes from {}", fetched.bytes.len(), fetched.source));
    let audit = plugins.host().audit(&fetched.bytes)?;
    let may = if audit.imports.is_empty() { "nothing".to_owned() } else { audit.imports.join(", ") };
    passed("imports", may);
    let package = plugins.host().package(&fetched.bytes)?;
    passed("signature", package.signed_by.as_ref().map_or("not signed".to_owned(), |key| format!("by {key}")));
    let plugin = plugins.load(&fetched.bytes)?;
    passed("compiled", format!("fits the world {}", audit.world));
    check_trust(context.project, plugin.id(), &package)?;
    if builtin(plugin.id()).is_some() {
        return Err(Error::Exists { what: "built-in plugin", name: plugin.id().to_owned() });
    }
    let replayed = golden::replay(&plugin, &package.golden)?;
    passed(
        "golden cases",
        match replayed.cases {
            0 => "it brings none".to_owned(),
            n => format!("{n} hold, twice, in shuffled order and one row at a time; {} fuel", replayed.receipt.fuel),
        },
    );
    let info = describe(&plugin, &fetched.source);
    let locked = Locked {
        id: info.id.clone(),
        version: info.version,
        kind: info.kind,
        summary: info.summary,
        world: audit.world.to_owned(),
        imports: audit.imports,
        digest: audit.digest,
        size_bytes: info.size_bytes,
        source: fetched.source.clone(),
        license: package.license.clone(),
        signed_by: package.signed_by.clone(),
    };
    let path = locked.path(context.project);
    make_parent(context.project, &path)?;
    luthier_data::atomic::write(&path, &fetched.bytes).map_err(|source| Error::io("write", &path, source))?;
    let mut lock = Lock::read(context.project)?;
    let replaced = lock.find(&info.id).filter(|old| old.digest != locked.digest).cloned();
    lock.put(locked);
    lock.write(context.project)?;
    if let Some(old) = replaced {
        let _ = std::fs::remove_file(old.path(context.project));
        passed("replaced", format!("version {} ({})", old.version, old.digest));
    }
    Ok(Installed { plugin, package, source: fetched.source, checks })
}

/// Takes a plugin out of the project, its file included.
pub(crate) fn remove(context: Context<'_>, id: &str) -> Result<String, Error> {
    let session = context.engine.plugins.remove_from_session(context.project, id);
    let mut lock = Lock::read(context.project)?;
    match lock.take(id) {
        Some(locked) => {
            lock.write(context.project)?;
            let path = locked.path(context.project);
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &path, source)),
                _ => Ok(format!("removed {id} {}", locked.version)),
            }
        }
        None if session => Ok(format!("removed {id} from this session")),
        None => {
            let known = lock.plugins().iter().map(|locked| locked.id.clone()).collect();
            Err(Error::unknown("installed plugin", id, known))
        }
    }
}

fn check_trust(project: &Project, plugin: &str, package: &Package) -> Result<(), Error> {
    let path = project.resolve(TRUSTED_KEYS);
    if !path.exists() {
        return Ok(());
    }
    let keys = read_text(&path, MAX_KEYS_BYTES)?;
    let keys = keys.lines().filter_map(|line| line.split_whitespace().next());
    let trusted =
        package.signed_by.as_deref().is_some_and(|key| keys.into_iter().any(|known| known.eq_ignore_ascii_case(key)));
    if trusted {
        return Ok(());
    }
    let found = package.signed_by.as_ref().map_or("not signed".to_owned(), |key| format!("signed by {key}"));
    Err(Error::NotTrusted { plugin: plugin.to_owned(), found, file: TRUSTED_KEYS })
}

fn make_parent(project: &Project, path: &Path) -> Result<(), Error> {
    // Makes `.luthier` with its .gitignore as well.
    project.store()?;
    match path.parent() {
        Some(parent) => std::fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, source)),
        None => Ok(()),
    }
}
