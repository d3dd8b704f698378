//! Rows of a golden case as columns.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_schema::{Field, Schema};
use serde_json::Value;

use crate::bindings::data::LogicalType;
use crate::columns::Expected;

/// The declared columns of `rows`, each a JSON object; the finding, if a value is of another type. Declared columns
/// that no row has are left out, unless `all`.
pub(crate) fn batch(rows: &[Value], declared: &[Expected], all: bool) -> Result<RecordBatch, String> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in declared {
        if !all && !rows.is_empty() && rows.iter().all(|row| row.get(&column.name).is_none()) {
            continue;
        }
        let values = rows.iter().map(|row| row.get(&column.name).filter(|value| !value.is_null()));
        let array = array(column, values)?;
        if !column.nullable && array.null_count() > 0 {
            return Err(format!("`{}` is missing in a row", column.name));
        }
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| error.to_string())
}

fn array<'a>(column: &Expected, values: impl Iterator<Item = Option<&'a Value>>) -> Result<ArrayRef, String> {
    let wrong = |value: &Value| format!("`{}` is `{value}`, expected {}", column.name, column.describe());
    Ok(match column.ty {
        LogicalType::Utf8 => {
            let texts: Vec<Option<String>> = values
                .map(|value| match value {
                    None => Ok(None),
                    Some(Value::String(text)) => Ok(Some(text.clone())),
                    Some(other) => Err(wrong(other)),
                })
                .collect::<Result<_, _>>()?;
            Arc::new(StringArray::from(texts))
        }
        LogicalType::Json => Arc::new(StringArray::from_iter(values.map(|value| value.map(Value::to_string)))),
        LogicalType::Float64 => {
            let numbers = values.map(|value| value.map(|value| value.as_f64().ok_or_else(|| wrong(value))).transpose());
            Arc::new(Float64Array::from(numbers.collect::<Result<Vec<_>, _>>()?))
        }
        LogicalType::Int64 => {
            let numbers = values.map(|value| value.map(|value| value.as_i64().ok_or_else(|| wrong(value))).transpose());
            Arc::new(Int64Array::from(numbers.collect::<Result<Vec<_>, _>>()?))
        }
        LogicalType::Boolean => {
            let flags = values.map(|value| value.map(|value| value.as_bool().ok_or_else(|| wrong(value))).transpose());
            Arc::new(BooleanArray::from(flags.collect::<Result<Vec<_>, _>>()?))
        }
        LogicalType::Ipc => return Err(format!("`{}` is an ipc column, which JSON cannot hold", column.name)),
    })
}
