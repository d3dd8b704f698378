//! Exports a [`RowMetric`].

use std::marker::PhantomData;

use super::convert::{config_in, error_out};
use crate::RowMetric;
use crate::bindings::metric::luthier::plugin::data as wit;
use crate::bindings::row_metric::Guest;

/// The component's exports.
pub struct RowMetricGuest<M>(PhantomData<M>);

impl<M: RowMetric> Guest for RowMetricGuest<M> {
    fn describe() -> String {
        M::describe().to_json().to_string()
    }

    fn score_row(prediction: String, reference: String, config: String) -> Result<f64, wit::Error> {
        config_in(&config).and_then(|config| M::score_row(&prediction, &reference, &config)).map_err(error_out)
    }
}
