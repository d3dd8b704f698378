//! What the engine does: one file per request, or per family of small ones.

pub(crate) mod ask;
pub(crate) mod attach;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod dataset;
pub(crate) mod device;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod finetune;
pub(crate) mod hub;
pub(crate) mod load;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod predict;
pub(crate) mod records;
pub(crate) mod review;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod synthesize;
