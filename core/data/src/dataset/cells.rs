//! Cells as text.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

use super::find_column;
use crate::Result;

/// A column as text.
pub(crate) fn text_column(what: &str, batch: &RecordBatch, column: &str) -> Result<Vec<String>> {
    let array = find_column(what, batch, column)?;
    Ok((0..array.len()).map(|row| text(array, row)).collect())
}

/// One cell; null is "". Fractions as Python writes them (`1.0`).
pub(crate) fn text(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        _ => array_value_to_string(array, row).unwrap_or_default(),
    }
}
