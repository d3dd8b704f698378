//! The `code-generation` task template: a Python function's signature and docstring, and the function.
//!
//! * [`grammar`] composes functions from a handful of steps (select, change, reduce), each with its sentence,
//!   its Python and its meaning in Rust.
//! * [`cases`] finds inputs on which a function differs from its neighbors: the row's tests.
//! * [`deal`] deals functions into training and test parts; whole skeletons are held out.
//! * [`prompt`] is the one prompt and the one answer extraction of the task.
//! * [`CodeGeneration`] is the plugin. Functions that a language model wrote are run before they are kept.
//!
//! Expected values come from the grammar's own evaluator, never from the Python that they judge.

pub mod cases;
pub mod deal;
pub mod grammar;
pub mod prompt;
pub mod skeleton;

mod asked;
mod config;
mod template;
mod value;
mod verify;

pub use template::CodeGeneration;
pub use value::Value;

luthier_plugin::export_template!(CodeGeneration);
