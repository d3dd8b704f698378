//! What a metric says of itself, checked, and how its columns make its outputs.

use std::collections::BTreeSet;

use luthier_eval::{Aggregation, InputType, MetricDescriptor, MetricInput};
use serde_json::Value;

use super::ERROR_COLUMN;
use crate::bindings::data::LogicalType;
use crate::bindings::metric::exports::luthier::plugin::metric as wit;
use crate::call::Guest;
use crate::columns::{Check, Expected, parse_json};
use crate::plugin::{Description, identity};
use crate::{Error, text};

/// Sums that one output may be reduced from.
const MAX_SUMS: usize = 64;

/// A metric's description, checked.
#[derive(Debug, Clone)]
pub(crate) struct MetricShape {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) config_schema: Value,
    /// Columns that it reads.
    pub(crate) inputs: Vec<Expected>,
    /// Float columns that `score` returns, in order of their first mention.
    pub(crate) columns: Vec<String>,
    /// Of each output: its own name, and the positions of its columns.
    pub(crate) outputs: Vec<(String, Vec<usize>)>,
    /// Of each output, as the evaluation sees it.
    pub(crate) descriptors: Vec<MetricDescriptor>,
}

/// One output as it was found, in the words of any world.
pub(crate) struct FoundOutput {
    pub(crate) name: String,
    pub(crate) higher_is_better: bool,
    pub(crate) bounds: (Option<f64>, Option<f64>),
    pub(crate) aggregation: Aggregation,
    /// Columns that `score` returns for it.
    pub(crate) columns: Vec<String>,
}

pub(crate) fn check_descriptor(guest: &Guest, found: wit::Descriptor, digest: &str) -> Result<Description, Error> {
    let check = Check { plugin: guest.plugin(), call: "describe", limits: guest.limits() };
    let [id, version, summary] = identity(guest, &found.id, &found.version, &found.summary)?;
    let config_schema = parse_json(&found.config_schema, guest.limits())
        .map_err(|finding| check.error("JSON as config-schema", finding))?;
    if !found.row_independent {
        let feature = "a metric whose rows depend on each other (sums over rows are the host's: see `sufficient`)";
        return Err(Error::Unsupported { plugin: id, feature: feature.to_owned() });
    }
    check_list(&check, found.inputs.len())?;
    check_list(&check, found.outputs.len())?;
    let inputs = found
        .inputs
        .iter()
        .map(|spec| {
            plain_name(&check, &spec.name)?;
            Expected::from_spec(spec).map_err(|finding| check.error("an Arrow type as arrow-type", finding))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let outputs = found.outputs.iter().map(|output| found_output(&check, &id, output)).collect::<Result<_, _>>()?;
    let group_by = found.group_by.as_deref().map(|name| plain_name(&check, name)).transpose()?;
    let mut shape = MetricShape {
        id,
        version,
        summary,
        config_schema,
        inputs,
        columns: Vec::new(),
        outputs: Vec::new(),
        descriptors: Vec::new(),
    };
    fill(&check, &mut shape, outputs, group_by, digest)?;
    Ok(Description::Metric(Box::new(shape)))
}

fn found_output(check: &Check<'_>, id: &str, output: &wit::Output) -> Result<FoundOutput, Error> {
    let name = plain_name(check, &output.name)?;
    let (aggregation, columns) = match &output.aggregate {
        wit::Aggregation::Mean => (Aggregation::Mean, vec![name.clone()]),
        wit::Aggregation::Proportion => (Aggregation::Proportion, vec![name.clone()]),
        wit::Aggregation::Quantile(q) if (0.0..=1.0).contains(q) => (Aggregation::Quantile(*q), vec![name.clone()]),
        wit::Aggregation::Quantile(q) => return Err(check.error("a quantile from 0 to 1", q.to_string())),
        wit::Aggregation::Ratio((over, under)) => {
            (Aggregation::Ratio, vec![plain_name(check, over)?, plain_name(check, under)?])
        }
        wit::Aggregation::Sufficient(names) if (1..=MAX_SUMS).contains(&names.len()) => {
            let names = names.iter().map(|name| plain_name(check, name)).collect::<Result<Vec<_>, _>>()?;
            (Aggregation::Sufficient(names.len()), names)
        }
        wit::Aggregation::Sufficient(names) => {
            return Err(check.error(format!("1 to {MAX_SUMS} statistics"), names.len().to_string()));
        }
    };
    let higher_is_better = match output.direction {
        wit::Direction::HigherIsBetter => true,
        wit::Direction::LowerIsBetter => false,
        wit::Direction::Neutral => {
            let feature = "a metric without a better direction".to_owned();
            return Err(Error::Unsupported { plugin: id.to_owned(), feature });
        }
    };
    let bounds = bounds(check, output.lower, output.upper, aggregation)?;
    Ok(FoundOutput { name, higher_is_better, bounds, aggregation, columns })
}

/// Outputs, their columns, and their descriptors.
pub(crate) fn fill(
    check: &Check<'_>,
    shape: &mut MetricShape,
    outputs: Vec<FoundOutput>,
    group_by: Option<String>,
    digest: &str,
) -> Result<(), Error> {
    if outputs.is_empty() {
        return Err(check.error("at least one output", "none"));
    }
    let mut names = BTreeSet::new();
    let several = outputs.len() > 1;
    let inputs: Vec<MetricInput> = shape.inputs.iter().map(input).collect();
    for output in outputs {
        if !names.insert(output.name.clone()) {
            return Err(check.error("distinct outputs", format!("`{}` twice", output.name)));
        }
        let positions = output
            .columns
            .iter()
            .map(|name| match shape.columns.iter().position(|known| known == name) {
                Some(position) => position,
                None => {
                    shape.columns.push(name.clone());
                    shape.columns.len() - 1
                }
            })
            .collect();
        shape.descriptors.push(MetricDescriptor {
            id: if several { format!("{}.{}", shape.id, output.name) } else { shape.id.clone() },
            version: shape.version.clone(),
            summary: shape.summary.clone(),
            inputs: inputs.clone(),
            higher_is_better: output.higher_is_better,
            aggregation: output.aggregation,
            bounds: output.bounds,
            group_by: group_by.clone(),
            digest: digest.to_owned(),
        });
        shape.outputs.push((output.name, positions));
    }
    Ok(())
}

fn input(expected: &Expected) -> MetricInput {
    let ty = match expected.ty {
        LogicalType::Utf8 => InputType::Utf8,
        LogicalType::Json => InputType::Json,
        LogicalType::Float64 => InputType::Float64,
        LogicalType::Int64 => InputType::Int64,
        LogicalType::Boolean => InputType::Boolean,
        LogicalType::Ipc => InputType::Any,
    };
    MetricInput { name: expected.name.clone(), ty, nullable: expected.nullable }
}

fn check_list(check: &Check<'_>, len: usize) -> Result<(), Error> {
    let limit = check.limits.list_items;
    if len <= limit {
        return Ok(());
    }
    Err(check.error(format!("lists of at most {limit} items"), len.to_string()))
}

/// A name of a column or output: short and plain, and not that of the error column.
fn plain_name(check: &Check<'_>, name: &str) -> Result<String, Error> {
    if text::is_name(name) && name != ERROR_COLUMN {
        return Ok(name.to_owned());
    }
    Err(check.error("plain names of inputs and outputs", format!("`{}`", text::clean(name, 64))))
}

pub(crate) fn bounds(
    check: &Check<'_>,
    lower: Option<f64>,
    upper: Option<f64>,
    aggregation: Aggregation,
) -> Result<(Option<f64>, Option<f64>), Error> {
    let finite = [lower, upper].into_iter().flatten().all(f64::is_finite);
    let ordered = lower.zip(upper).is_none_or(|(lower, upper)| lower <= upper);
    if !finite || !ordered {
        return Err(check.error("finite bounds in order", format!("{lower:?} and {upper:?}")));
    }
    // Wilson's interval holds for zeros and ones.
    if aggregation == Aggregation::Proportion && (lower, upper) != (Some(0.0), Some(1.0)) {
        return Err(check.error("the bounds 0 and 1 of a proportion", format!("{lower:?} and {upper:?}")));
    }
    Ok((lower, upper))
}
