//! `plugin test`: golden cases, steadiness, hostile inputs, and a table of scores row by row.

use arrow_array::RecordBatch;
use luthier_plugin_host::{Context, MetricPlugin, Package, Plugin, conformance, golden};
use luthier_protocol::plugin::{PluginCheck, PluginTable};
use serde_json::{Map, Value};

use crate::Error;

/// Rows that a table shows unless asked for more.
const SHOWN_ROWS: usize = 50;
/// Characters of a cell.
const CELL_CHARS: usize = 80;

/// What to test a plugin with.
pub(crate) struct TestOptions<'a> {
    pub(crate) rows: Option<&'a RecordBatch>,
    pub(crate) limit: Option<usize>,
    pub(crate) config: &'a Map<String, Value>,
    pub(crate) adversarial: bool,
}

/// All checks in order, and the table if there are rows.
pub(crate) fn test(
    plugin: &Plugin,
    package: &Package,
    options: &TestOptions<'_>,
) -> Result<(Vec<PluginCheck>, Option<PluginTable>), Error> {
    let mut checks = vec![golden_check(plugin, package)];
    let config = Value::Object(options.config.clone());
    if options.adversarial {
        checks.extend(conformance::adversarial(plugin, &config).into_iter().map(|finding| PluginCheck {
            name: finding.name,
            passed: finding.passed,
            detail: finding.detail,
        }));
    }
    let Some(rows) = options.rows else { return Ok((checks, None)) };
    if plugin.metric_descriptors().is_none() {
        return Err(Error::invalid("`data`", "rows for a template", "rows for a metric"));
    }
    let mut metric = plugin.open_metric(&config, Context::default(), &Default::default())?;
    let table = metric.score_table(rows)?;
    checks.push(steady(plugin, &config, rows, &table)?);
    Ok((checks, Some(shown(&metric, rows, &table, options.limit.unwrap_or(SHOWN_ROWS)))))
}

fn golden_check(plugin: &Plugin, package: &Package) -> PluginCheck {
    let name = "golden cases".to_owned();
    match golden::replay(plugin, &package.golden) {
        Ok(replayed) if replayed.cases == 0 => {
            let detail = "it brings none: write golden.jsonl beside the source".to_owned();
            PluginCheck { name, passed: true, detail }
        }
        Ok(replayed) => {
            let detail = format!(
                "{} hold, twice, in shuffled order and one row at a time; {} fuel, {} bytes of memory",
                replayed.cases, replayed.receipt.fuel, replayed.receipt.peak_memory_bytes
            );
            PluginCheck { name, passed: true, detail }
        }
        Err(error) => PluginCheck { name, passed: false, detail: error.to_string() },
    }
}

/// A second instance gives the same scores, in one piece and in two.
fn steady(
    plugin: &Plugin,
    config: &Value,
    rows: &RecordBatch,
    table: &[Result<Vec<f64>, String>],
) -> Result<PluginCheck, Error> {
    let mut again = plugin.open_metric(config, Context::default(), &Default::default())?;
    let cut = if again.is_grouped() { 0 } else { rows.num_rows() / 3 };
    let mut found = again.score_table(&rows.slice(0, cut))?;
    found.extend(again.score_table(&rows.slice(cut, rows.num_rows() - cut))?);
    let passed = found == table;
    let detail = if passed {
        format!("the {} rows have the same scores again, and in other batches", rows.num_rows())
    } else {
        "a second run in other batches gives other scores".to_owned()
    };
    Ok(PluginCheck { name: "steady".to_owned(), passed, detail })
}

fn shown(metric: &MetricPlugin, rows: &RecordBatch, table: &[Result<Vec<f64>, String>], limit: usize) -> PluginTable {
    let inputs: Vec<&str> = metric.input_names().collect();
    let headings = inputs.iter().copied().chain(metric.columns().iter().map(String::as_str)).chain(["error"]);
    let row_of = |(row, scored): (usize, &Result<Vec<f64>, String>)| {
        let mut cells: Vec<String> = inputs
            .iter()
            .map(|name| {
                let text = rows.column_by_name(name).map(|column| luthier_data::cell_text(column, row));
                text.unwrap_or_default().chars().take(CELL_CHARS).collect()
            })
            .collect();
        match scored {
            Ok(values) => {
                cells.extend(values.iter().map(ToString::to_string));
                cells.push(String::new());
            }
            Err(code) => {
                cells.extend(metric.columns().iter().map(|_| String::new()));
                cells.push(code.clone());
            }
        }
        cells
    };
    PluginTable {
        columns: headings.map(str::to_owned).collect(),
        rows: table.iter().enumerate().take(limit).map(row_of).collect(),
        n_rows: table.len() as u64,
    }
}
