//! Plugins as they are made, tested, installed and shared.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::response::PluginInfo;

/// What `plugin` is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum PluginRequest {
    /// Make a folder with a plugin that builds.
    New {
        /// Folder and id.
        name: String,
        /// `metric` or `template`.
        kind: String,
        /// `rust`, `python`, `c` or `js`.
        lang: String,
    },
    /// Build a folder's source into one file.
    Build {
        /// The folder.
        path: String,
        /// Sign with the key in this file, which is made if it is missing.
        sign: Option<String>,
    },
    /// Golden cases, determinism, any split; with rows, a table of scores.
    Test {
        /// An id, a component, or a folder, which is built first.
        plugin: String,
        /// Rows to score: a file or a dataset.
        data: Option<String>,
        /// Score at most so many.
        limit: Option<usize>,
        /// Configuration.
        config: Map<String, Value>,
        /// Also throw hostile inputs at it.
        adversarial: bool,
    },
    /// Show what a plugin is and asks for; nothing is installed.
    Inspect {
        /// An id, a component, a folder or an address.
        plugin: String,
    },
    /// Audit, compile in a process of its own, replay golden cases, write it into plugins.lock.
    Install {
        /// A component, a folder, an `http(s)://` address or `oci://registry/repository:tag`.
        source: String,
    },
    /// Take an installed plugin out of the project.
    Remove {
        /// Its id.
        plugin: String,
    },
    /// Build the source of a cell and install it until the engine ends.
    Cell {
        /// Id; taken from the source if absent.
        name: Option<String>,
        /// Rust.
        source: String,
    },
}

/// What a [`PluginRequest`] came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginReport {
    /// One sentence: what was done.
    pub done: String,
    /// The plugin, if there is one now.
    pub plugin: Option<PluginInfo>,
    /// Further facts, by name.
    pub facts: Vec<(String, String)>,
    /// What was looked at, in order.
    pub checks: Vec<PluginCheck>,
    /// Scores row by row.
    pub table: Option<PluginTable>,
    /// A file or folder that was made.
    pub path: Option<String>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCheck {
    /// Its name.
    pub name: String,
    /// It held.
    pub passed: bool,
    /// What was found.
    pub detail: String,
}

/// Rows and their scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginTable {
    /// Headings.
    pub columns: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// Rows that the file has; more than are shown, perhaps.
    pub n_rows: u64,
}
