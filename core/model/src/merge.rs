//! An adapter's update in the weights that it was trained beside.

use crate::{Adapter, Model, Result};

#[cfg(test)]
mod tests;

impl Model {
    /// This model with `adapter` in its weights; the model itself stays as it is, and a quantized one is
    /// dense afterwards. The same bits for any number of threads.
    ///
    /// Errors: see [`Adapter::merge_into`].
    pub fn merged(&self, adapter: &Adapter) -> Result<Model> {
        adapter.merge_into(self)
    }
}
