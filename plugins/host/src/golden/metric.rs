//! Golden cases of metrics.

use arrow_array::{RecordBatch, UInt64Array};
use luthier_eval::{Aggregation, RowScore};
use serde_json::Value;

use super::Case;
use crate::{Context, Error, MetricPlugin, Plugin, Receipt};

/// One number per column, or why there are none.
type Row = Result<Vec<f64>, String>;

pub(super) fn replay(plugin: &Plugin, case: &Case<'_>) -> Result<Receipt, Error> {
    let expected = case.list("expect")?;
    let mut metric = open(plugin, case)?;
    let rows =
        super::batch(case.list("rows")?, metric.inputs_expected(), true).map_err(|finding| case.broken(&finding))?;
    if rows.num_rows() != expected.len() {
        return Err(case.broken(&format!("{} rows and {} expectations", rows.num_rows(), expected.len())));
    }
    let table = metric.score_table(&rows)?;
    for (row, (found, expected)) in table.iter().zip(expected).enumerate() {
        same(case, metric.columns(), found, expected)
            .map_err(|finding| case.failed(format!("row {row}: {finding}")))?;
    }
    aggregate(&mut metric, &rows, case)?;
    let receipt = metric.receipt();
    steady(plugin, case, &rows, &table, receipt)?;
    Ok(receipt)
}

fn open(plugin: &Plugin, case: &Case<'_>) -> Result<MetricPlugin, Error> {
    let seed = case.value.get("seed").and_then(Value::as_u64).unwrap_or(0);
    plugin.open_metric(&case.config, Context { seed, ..Context::default() }, &case.databases)
}

fn same(case: &Case<'_>, columns: &[String], found: &Row, expected: &Value) -> Result<(), String> {
    let code = expected.get("error").and_then(Value::as_str);
    match (found, code) {
        (Err(found), Some(code)) if found == code => Ok(()),
        (Err(found), _) => Err(format!("error `{found}`, expected {expected}")),
        (Ok(_), Some(code)) => Err(format!("a score, expected the error `{code}`")),
        (Ok(values), None) => {
            let object = expected.as_object().ok_or("the expectation is not an object")?;
            for (name, expected) in object {
                let position = columns.iter().position(|column| column == name);
                let position =
                    position.ok_or_else(|| format!("no column `{name}`; there are {}", columns.join(", ")))?;
                let (found, expected) = (values.get(position).copied().unwrap_or(f64::NAN), expected.as_f64());
                let close = expected.is_some_and(|expected| (found - expected).abs() <= case.tolerance);
                if !close {
                    return Err(format!("{name} is {found}, expected {}", expected.unwrap_or(f64::NAN)));
                }
            }
            Ok(())
        }
    }
}

/// Corpus-level values, by output.
fn aggregate(metric: &mut MetricPlugin, rows: &RecordBatch, case: &Case<'_>) -> Result<(), Error> {
    let Some(expected) = case.value.get("aggregate").and_then(Value::as_object) else { return Ok(()) };
    let outputs = metric.score_outputs(rows)?;
    for (name, expected) in expected {
        let position = metric.output_names().position(|output| output == name);
        let position = position.ok_or_else(|| case.broken(&format!("there is no output `{name}`")))?;
        let aggregation = metric.aggregation(position).ok_or_else(|| case.broken("an output without aggregation"))?;
        let scores = outputs.get(position).map(Vec::as_slice).unwrap_or_default();
        let found = combine(metric, position, aggregation, scores)?;
        let expected = expected.as_f64().ok_or_else(|| case.broken(&format!("`aggregate.{name}` is no number")))?;
        if found.is_none_or(|found| (found - expected).abs() > case.tolerance) {
            return Err(case.failed(format!("{name} of all rows is {found:?}, expected {expected}")));
        }
    }
    Ok(())
}

fn combine(
    metric: &mut MetricPlugin,
    output: usize,
    aggregation: Aggregation,
    scores: &[RowScore],
) -> Result<Option<f64>, Error> {
    let mut sums = vec![0.0; aggregation.n_values()];
    let mut n = 0u32;
    for score in scores {
        let values: &[f64] = match score {
            RowScore::Score(score) => std::slice::from_ref(score),
            RowScore::Sums(values) => values,
            RowScore::Error(_) => continue,
        };
        n += 1;
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let first = sums.first().copied().unwrap_or(0.0);
    Ok(match aggregation {
        _ if n == 0 => None,
        Aggregation::Mean | Aggregation::Proportion => Some(first / f64::from(n)),
        Aggregation::Ratio => sums.get(1).map(|under| first / under),
        Aggregation::Sufficient(_) => metric.reduce_sums(output, &[sums])?.first().copied(),
        // Its interpolation is the evaluation's business.
        Aggregation::Quantile(_) => None,
    })
}

/// The same rows give the same scores and fuel in a fresh instance, and the same scores in another order
/// and in other batches.
fn steady(plugin: &Plugin, case: &Case<'_>, rows: &RecordBatch, table: &[Row], receipt: Receipt) -> Result<(), Error> {
    let mut again = open(plugin, case)?;
    let second = again.score_table(rows)?;
    if case.value.get("aggregate").is_some() {
        aggregate(&mut again, rows, case)?;
    }
    if second != table {
        return Err(case.failed("a second run gives other scores".to_owned()));
    }
    if again.receipt() != receipt {
        let (first, second) = (receipt.fuel, again.receipt().fuel);
        return Err(case.failed(format!("a second run takes {second} fuel instead of {first}")));
    }
    if again.is_grouped() {
        return Ok(());
    }
    for order in orders(table.len()) {
        let indices = UInt64Array::from_iter_values(order.iter().map(|&row| row as u64));
        let shuffled = arrow_select::take::take_record_batch(rows, &indices)
            .map_err(|error| Error::Runtime { detail: error.to_string() })?;
        let found = open(plugin, case)?.score_table(&shuffled)?;
        let expected: Vec<&Row> = order.iter().filter_map(|&row| table.get(row)).collect();
        if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
            let row = order.get(at).copied().unwrap_or(at);
            return Err(case.failed(format!("row {row} has another score when the rows come in another order")));
        }
    }
    let mut split = open(plugin, case)?;
    let mut found = Vec::with_capacity(table.len());
    for row in 0..rows.num_rows() {
        found.extend(split.score_table(&rows.slice(row, 1))?);
    }
    if found != table {
        return Err(case.failed("rows scored one at a time have other scores".to_owned()));
    }
    Ok(())
}

/// Backward, and one fixed shuffle.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let mut shuffled: Vec<usize> = (0..n).collect();
    luthier_plugin::Rng::new(7).shuffle(&mut shuffled);
    vec![(0..n).rev().collect(), shuffled]
}
