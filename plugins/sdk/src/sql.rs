//! Read-only SQL on the databases that a person granted for a run. In the engine these are host
//! imports; natively anything that answers queries will do, a closure included.

use std::fmt;

/// Limits of one query. The host lowers them to its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Steps of SQLite's virtual machine: the same on every machine, unlike time.
    pub vm_steps: u64,
    /// Rows of the result.
    pub max_rows: u32,
    /// Bytes of the result.
    pub max_bytes: u32,
}

impl Default for Budget {
    /// 5 million steps (some tenths of a second), 10,000 rows, 8 MiB.
    fn default() -> Self {
        Self { vm_steps: 5_000_000, max_rows: 10_000, max_bytes: 8 << 20 }
    }
}

/// One value, by SQLite's storage classes.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// 64-bit integer.
    Integer(i64),
    /// 64-bit float.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A query's result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Names as SQLite gives them; may repeat.
    pub columns: Vec<String>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<SqlValue>>,
}

/// Why a query has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlError {
    /// Not granted, or not a read.
    Denied(String),
    /// Not valid SQL for this database.
    Syntax(String),
    /// Failed while running.
    Runtime(String),
    /// Took more steps than the budget.
    Budget(String),
    /// Has more rows or bytes than the budget.
    TooLarge(String),
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(message) => write!(f, "denied: {message}"),
            Self::Syntax(message) => write!(f, "invalid SQL: {message}"),
            Self::Runtime(message) => write!(f, "failed: {message}"),
            Self::Budget(message) => write!(f, "over budget: {message}"),
            Self::TooLarge(message) => write!(f, "result too large: {message}"),
        }
    }
}

impl std::error::Error for SqlError {}

/// One opened database.
pub trait SqlDatabase {
    /// Runs one SELECT.
    fn query(&self, sql: &str, budget: Budget) -> Result<Rows, SqlError>;
}

/// The databases granted for this run, by name.
pub trait Databases {
    /// Opens one; `denied` if it was not granted.
    fn open(&self, name: &str) -> Result<Box<dyn SqlDatabase>, SqlError>;
}

/// No database is granted.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDatabases;

impl Databases for NoDatabases {
    fn open(&self, name: &str) -> Result<Box<dyn SqlDatabase>, SqlError> {
        Err(SqlError::Denied(format!("database `{name}` is not granted")))
    }
}

impl<F: Fn(&str, Budget) -> Result<Rows, SqlError>> SqlDatabase for F {
    fn query(&self, sql: &str, budget: Budget) -> Result<Rows, SqlError> {
        self(sql, budget)
    }
}

impl<F: Fn(&str) -> Result<Box<dyn SqlDatabase>, SqlError>> Databases for F {
    fn open(&self, name: &str) -> Result<Box<dyn SqlDatabase>, SqlError> {
        self(name)
    }
}
