//! Rows as a JSONL file, for clients that read them as structs.

use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use luthier_protocol::Response;
use serde_json::{Map, Value};

use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::service::Context;

pub(crate) fn rows(context: Context<'_>, data: &str, split: Option<&str>) -> Result<Response, Error> {
    let dataset = datasets::open(context, data).at("/data")?;
    let batch = match split {
        Some(split) => datasets::rows(&dataset, split).at("/split")?,
        None => dataset.batch.clone(),
    };
    let key = crate::hash::parts([dataset.fingerprint.as_bytes(), split.unwrap_or("").as_bytes()]);
    let path = context.project.subdir("cache")?.join(format!("rows-{}.jsonl", crate::hash::short(&key)));
    write_jsonl(&path, &batch)?;
    Ok(Response::Rows {
        path: path.display().to_string(),
        n_rows: batch.num_rows() as u64,
        fingerprint: dataset.fingerprint,
    })
}

/// One JSON object per row, keys in the order of the columns.
fn write_jsonl(path: &std::path::Path, batch: &RecordBatch) -> Result<(), Error> {
    use std::io::Write;
    luthier_data::atomic::write_with(path, |file| -> std::io::Result<()> {
        for row in 0..batch.num_rows() {
            serde_json::to_writer(&mut *file, &object(batch, row))?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
    .map_err(|source| Error::io("write", path, source))
}

fn object(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    fields.map(|(field, column)| (field.name().clone(), value(column.as_ref(), row))).collect()
}

/// Datasets hold texts, integers, floats and booleans; see `luthier_data::Dataset::batch`.
fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let any = column.as_any();
    if let Some(column) = any.downcast_ref::<StringArray>() {
        return Value::from(column.value(row));
    }
    if let Some(column) = any.downcast_ref::<Int64Array>() {
        return Value::from(column.value(row));
    }
    if let Some(column) = any.downcast_ref::<Float64Array>() {
        return Value::from(column.value(row));
    }
    any.downcast_ref::<BooleanArray>().map_or(Value::Null, |column| Value::from(column.value(row)))
}
