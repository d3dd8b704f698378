//! SQLite files that a task reads: brought along by its template, or a person's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Error;
use crate::error::AtExt;
use crate::project::{Project, check_name};

/// Every database of a dataset by name: the person's files win over the template's scripts. Paths
/// inside the project are relative to it, so that it may be moved.
pub(crate) fn collect(
    project: &Project,
    brought: &[(String, String)],
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut databases = BTreeMap::new();
    for (name, script) in brought.iter().filter(|(name, _)| !given.contains_key(name)) {
        databases.insert(name.clone(), build(project, name, script)?);
    }
    for (name, path) in given {
        let file = project.resolve(path);
        if !file.is_file() {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Error::io("read the database", &file, source)).at("/databases");
        }
        databases.insert(name.clone(), path.clone());
    }
    Ok(databases)
}

/// The files that a plugin may read, by the names that it uses.
pub(crate) fn granted(project: &Project, databases: &BTreeMap<String, String>) -> BTreeMap<String, PathBuf> {
    databases.iter().map(|(name, path)| (name.clone(), super::database_path(project, path))).collect()
}

/// Build a script's database once; its name says what is in it.
fn build(project: &Project, name: &str, script: &str) -> Result<String, Error> {
    check_name("database", name)?;
    let hash = crate::hash::parts([script.as_bytes()]);
    let file = format!("{name}-{}.sqlite", crate::hash::short(&hash));
    let dir = project.subdir("databases")?;
    let path = dir.join(&file);
    if !path.is_file() {
        luthier_plugin_host::build_database(script, &path)?;
    }
    Ok(format!(".luthier/databases/{file}"))
}
