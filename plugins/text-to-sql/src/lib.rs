//! The `text-to-sql` task template: questions about a SQLite database and the SQL that answers them.
//!
//! * [`Schema`] is what is known of a database, [`Vocabulary`] how people speak of it.
//! * [`Grammar`] composes question/SQL pairs for any schema, without a language model.
//! * [`shop`] is a curated task whose business words cannot be guessed from its schema.
//! * [`prompt`] is the one prompt and the one answer extraction of the task.
//! * [`TextToSql`] is the plugin: it deals pairs into training and test parts and executes each.
//!
//! Nothing here opens a file or a database: SQL runs through whoever grants it. Everything is a pure
//! function of the seed.

pub mod deal;
pub mod grammar;
pub mod prompt;
pub mod schema;
pub mod shop;
pub mod sql;
pub mod vocabulary;
pub mod words;

mod asked;
mod config;

mod error;
mod rng;
mod template;
#[cfg(test)]
mod testing;
mod value;

pub use error::Error;
pub use grammar::{Grammar, Pair};
pub use rng::{Rng, hash_text};
pub use schema::Schema;
pub use template::TextToSql;
pub use value::Value;
pub use vocabulary::{Glossary, Vocabulary};

luthier_plugin::export_template!(TextToSql, sql);
