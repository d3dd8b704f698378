//! Databases for plugins: SQLite files opened read-only, one SELECT at a time, within a budget of
//! virtual-machine steps, so that a verdict never depends on how fast the machine is.

mod authorize;
mod build;
mod native;
mod query;
mod read_only;

pub use build::build_database;
pub use native::NativeDatabases;
pub(crate) use read_only::ReadOnly;

#[cfg(test)]
mod tests;
