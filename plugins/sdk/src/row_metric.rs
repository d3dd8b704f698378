//! The smallest plugin: one number for a prediction and its reference.

use crate::json::{Value, json};
use crate::{Aggregation, Direction, Error};

/// Scores one row from its prediction and its reference alone.
pub trait RowMetric {
    /// What it says of itself.
    fn describe() -> RowMetricDescriptor;

    /// The score of one row: finite and within the declared bounds. An error means that the row has no score
    /// (which is not a score of zero); [`Error::InvalidConfig`] ends the whole evaluation.
    fn score_row(prediction: &str, reference: &str, config: &Value) -> Result<f64, Error>;
}

/// What a row metric says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMetricDescriptor {
    /// Id, as `exact-match`.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Which way is better; not `Neutral`.
    pub direction: Direction,
    /// Least possible score.
    pub lower: Option<f64>,
    /// Greatest possible score.
    pub upper: Option<f64>,
    /// How rows are combined: `Mean` or `Proportion`.
    pub aggregate: Aggregation,
    /// JSON Schema of the configuration.
    pub config_schema: Value,
}

impl RowMetricDescriptor {
    /// Higher is better, unbounded, averaged, no configuration.
    pub fn new(id: &str, version: &str, summary: &str) -> Self {
        Self {
            id: id.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            direction: Direction::HigherIsBetter,
            lower: None,
            upper: None,
            aggregate: Aggregation::Mean,
            config_schema: json!({ "type": "object", "additionalProperties": false }),
        }
    }

    /// Scores are averaged (as they are anyway; [`crate::metric_fn!`] names it).
    #[must_use]
    pub fn mean(self) -> Self {
        Self { aggregate: Aggregation::Mean, ..self }
    }

    /// Smaller scores are better.
    #[must_use]
    pub fn lower_is_better(self) -> Self {
        Self { direction: Direction::LowerIsBetter, ..self }
    }

    /// With these bounds.
    #[must_use]
    pub fn between(self, lower: f64, upper: f64) -> Self {
        Self { lower: Some(lower), upper: Some(upper), ..self }
    }

    /// Scores are 0 or 1; their mean is a proportion.
    #[must_use]
    pub fn proportion(self) -> Self {
        Self { lower: Some(0.0), upper: Some(1.0), aggregate: Aggregation::Proportion, ..self }
    }

    /// With this configuration.
    #[must_use]
    pub fn config_schema(self, config_schema: Value) -> Self {
        Self { config_schema, ..self }
    }

    /// As the interface wants it.
    pub fn to_json(&self) -> Value {
        let mut out = json!({
            "id": self.id,
            "version": self.version,
            "summary": self.summary,
            "direction": if self.direction == Direction::LowerIsBetter { "lower" } else { "higher" },
            "aggregate": if self.aggregate == Aggregation::Proportion { "proportion" } else { "mean" },
            "config-schema": self.config_schema,
        });
        for (key, bound) in [("lower", self.lower), ("upper", self.upper)] {
            if let (Some(bound), Some(object)) = (bound, out.as_object_mut()) {
                object.insert(key.to_owned(), json!(bound));
            }
        }
        out
    }
}

/// What the function of [`crate::metric_fn!`] may return.
pub trait IntoScore {
    /// The score, or why there is none.
    fn into_score(self) -> Result<f64, Error>;
}

impl IntoScore for f64 {
    fn into_score(self) -> Result<f64, Error> {
        Ok(self)
    }
}

impl IntoScore for bool {
    fn into_score(self) -> Result<f64, Error> {
        Ok(f64::from(self))
    }
}

impl<E: std::fmt::Display> IntoScore for Result<f64, E> {
    fn into_score(self) -> Result<f64, Error> {
        self.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// A whole metric from a function of a prediction and a reference: its id, one line about it,
/// `proportion` (of zeros and ones) or `mean`, and the function, which returns `bool`, `f64` or
/// `Result<f64, _>` (an error is a row without a score). Its version is the crate's.
#[macro_export]
macro_rules! metric_fn {
    ($id:expr, $summary:expr, $aggregate:ident, $function:path) => {
        /// The metric that this crate exports.
        pub struct MetricFunction;

        impl $crate::RowMetric for MetricFunction {
            fn describe() -> $crate::RowMetricDescriptor {
                $crate::RowMetricDescriptor::new($id, env!("CARGO_PKG_VERSION"), $summary).$aggregate()
            }

            fn score_row(
                prediction: &str,
                reference: &str,
                _config: &$crate::json::Value,
            ) -> Result<f64, $crate::Error> {
                $crate::IntoScore::into_score($function(prediction, reference))
            }
        }

        $crate::export_row_metric!(MetricFunction);
    };
}

/// Exports a [`RowMetric`] from a guest; natively it does nothing.
#[macro_export]
macro_rules! export_row_metric {
    ($metric:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the component ABI, generated")]
        const _: () = {
            type ExportedPlugin = $crate::guest::RowMetricGuest<$metric>;
            $crate::bindings::row_metric::export_row_metric_world!(
                ExportedPlugin with_types_in $crate::bindings::row_metric
            );
        };
    };
}
