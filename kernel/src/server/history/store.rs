//! The file behind the history.

use std::{
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::Connection;

use super::Entry;

/// Inputs kept, and looked through by a search.
const MAX_ENTRIES: i64 = 10_000;

/// Another kernel may be writing; a cell does not wait longer than this for it.
const BUSY_PATIENCE: Duration = Duration::from_millis(250);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS sessions (session INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS inputs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL, line INTEGER NOT NULL, input TEXT NOT NULL);
";

/// Inputs, oldest first; on disk where that works.
pub(super) struct Store {
    file: Option<Connection>,
    session: i64,
    /// This session's inputs, for the case that there is no file.
    own: Vec<Entry>,
}

impl Store {
    /// Opens (or makes) the file and begins a session. A file that cannot be used is said on standard
    /// error once, and done without.
    pub(super) fn open(path: Option<&Path>) -> Self {
        let opened = path.map(open).transpose().unwrap_or_else(|error| {
            eprintln!("luthier: inputs are not kept: {}: {error}", path.unwrap_or(Path::new("")).display());
            None
        });
        let (file, session) = opened.map_or((None, 1), |(file, session)| (Some(file), session));
        Store { file, session, own: Vec::new() }
    }

    /// This session's number.
    pub(super) fn session(&self) -> i64 {
        self.session
    }

    /// Remember an input.
    pub(super) fn push(&mut self, line: u64, input: &str) {
        self.own.push(Entry { session: self.session, line, input: input.to_owned() });
        if let Some(file) = &self.file {
            let line = i64::try_from(line).unwrap_or(i64::MAX);
            // A full disk or a locked file costs this entry, never the cell.
            let _ = file
                .execute("INSERT INTO inputs (session, line, input) VALUES (?1, ?2, ?3)", (self.session, line, input));
        }
    }

    /// The newest inputs, oldest first.
    pub(super) fn all(&self) -> Vec<Entry> {
        let read = |file: &Connection| -> rusqlite::Result<Vec<Entry>> {
            let mut statement = file.prepare("SELECT session, line, input FROM inputs ORDER BY id DESC LIMIT ?1")?;
            let entry = |row: &rusqlite::Row<'_>| {
                let line: i64 = row.get(1)?;
                Ok(Entry { session: row.get(0)?, line: line.unsigned_abs(), input: row.get(2)? })
            };
            let mut entries = statement.query_map([MAX_ENTRIES], entry)?.collect::<Result<Vec<_>, _>>()?;
            entries.reverse();
            Ok(entries)
        };
        self.file.as_ref().and_then(|file| read(file).ok()).unwrap_or_else(|| self.own.clone())
    }
}

fn open(path: &Path) -> Result<(Connection, i64), Box<dyn std::error::Error>> {
    if let Some(dir) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let file = Connection::open(path)?;
    // What people type is nobody else's business.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    file.busy_timeout(BUSY_PATIENCE)?;
    file.execute_batch(SCHEMA)?;
    file.execute("DELETE FROM inputs WHERE id <= (SELECT max(id) FROM inputs) - ?1", [MAX_ENTRIES])?;
    file.execute("INSERT INTO sessions (started) VALUES (?1)", [crate::wire::clock::now_rfc3339()])?;
    let session = file.last_insert_rowid();
    Ok((file, session))
}
