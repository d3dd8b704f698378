//! Between Arrow's record batches and the columns of the interface.

mod documents;
mod from_guest;
mod from_sql;
mod ipc;
mod json;
mod to_guest;

pub(crate) use from_guest::{Check, Expected, texts};
pub(crate) use from_sql::from_sql;
pub(crate) use json::parse as parse_json;
pub(crate) use to_guest::to_guest;

#[cfg(test)]
mod tests;
