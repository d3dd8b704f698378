//! Writing plugins: a folder that builds, its file, and what a test of it finds.

mod build;
mod languages;
mod scaffold;
mod test;

pub(crate) use build::{Job, build, is_source};
pub(crate) use scaffold::{cell_folder, scaffold};
pub(crate) use test::{TestOptions, test};
