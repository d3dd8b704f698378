//! The same databases for code that runs natively: tests of plugins, and tools that use a
//! template without its sandbox.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use luthier_plugin::{Budget, Databases, Rows, SqlDatabase, SqlError};

use super::ReadOnly;
use crate::limits::SqlLimits;

/// Granted databases, by name.
#[derive(Debug, Clone, Default)]
pub struct NativeDatabases {
    granted: BTreeMap<String, PathBuf>,
}

struct NativeDatabase(RefCell<ReadOnly>);

impl NativeDatabases {
    /// Grants these files.
    pub fn new(granted: BTreeMap<String, PathBuf>) -> Self {
        Self { granted }
    }
}

impl Databases for NativeDatabases {
    fn open(&self, name: &str) -> Result<Box<dyn SqlDatabase>, SqlError> {
        let path =
            self.granted.get(name).ok_or_else(|| SqlError::Denied(format!("database `{name}` is not granted")))?;
        let database =
            ReadOnly::open(path, &SqlLimits::default()).map_err(|error| SqlError::Runtime(error.to_string()))?;
        Ok(Box::new(NativeDatabase(RefCell::new(database))))
    }
}

impl SqlDatabase for NativeDatabase {
    fn query(&self, sql: &str, budget: Budget) -> Result<Rows, SqlError> {
        self.0.borrow_mut().query(sql, budget).rows
    }
}
