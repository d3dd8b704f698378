//! Arrow's many types to the four that datasets have.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::{CastOptions, cast_with_options, display::FormatOptions};
use arrow_json::writer::{LineDelimited, Writer, WriterBuilder};
use arrow_schema::{DataType, Field, Schema};

use crate::{Error, Result};

/// Text to `Utf8`, integers to `Int64`, fractions to `Float64`, booleans as they are; dates and
/// decimals to text as people write them; lists, maps and structs to JSON text.
///
/// # Errors
/// [`Error::ColumnType`] for bytes that are no text, integers beyond `i64`, and types without a
/// text form; [`Error::Roles`] if two columns have one name.
pub(crate) fn normalize(what: &str, batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        let finding = format!("every column name must occur once, `{twice}` occurs twice");
        return Err(Error::Roles { what: what.to_string(), finding, columns: names.clone() });
    }
    let arrays: Vec<ArrayRef> =
        names.iter().zip(batch.columns()).map(|(name, array)| column(what, name, array)).collect::<Result<_>>()?;
    let fields: Vec<Field> =
        names.iter().zip(&arrays).map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
}

fn column(what: &str, name: &str, array: &ArrayRef) -> Result<ArrayRef> {
    use DataType as T;
    let target = match array.data_type() {
        T::Utf8 | T::Int64 | T::Float64 | T::Boolean => return Ok(array.clone()),
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => T::Int64,
        T::Float16 | T::Float32 => T::Float64,
        T::List(_) | T::LargeList(_) | T::FixedSizeList(..) | T::Struct(_) | T::Map(..) => {
            return nested(what, name, array);
        }
        T::Dictionary(_, values) => {
            let values = cast(what, name, array, values)?;
            return column(what, name, &values);
        }
        _ => T::Utf8,
    };
    cast(what, name, array, &target)
}

fn cast(what: &str, name: &str, array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, format_options: FormatOptions::new() };
    cast_with_options(array, target, &options).map_err(|error| Error::ColumnType {
        what: what.to_string(),
        column: name.to_string(),
        expected: format!("convertible to {target}"),
        found: format!("{} ({error})", array.data_type()),
    })
}

/// One JSON text per row; null stays null.
fn nested(what: &str, name: &str, array: &ArrayRef) -> Result<ArrayRef> {
    let failed = |found: String| Error::ColumnType {
        what: what.to_string(),
        column: name.to_string(),
        expected: "lists or objects that JSON can hold".into(),
        found,
    };
    let field = Field::new("cell", array.data_type().clone(), true);
    let single = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array.clone()])?;
    let mut lines = Vec::new();
    let mut writer: Writer<_, LineDelimited> = WriterBuilder::new().with_explicit_nulls(true).build(&mut lines);
    writer.write(&single).and_then(|()| writer.finish()).map_err(|error| failed(error.to_string()))?;
    drop(writer);
    let text = String::from_utf8(lines).map_err(|error| failed(error.to_string()))?;
    let cells = text.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).map_err(|error| failed(error.to_string()))?;
        Ok(row.get("cell").filter(|cell| !cell.is_null()).map(ToString::to_string))
    });
    let cells: StringArray = cells.collect::<Result<Vec<Option<String>>>>()?.into_iter().collect();
    if cells.len() != array.len() {
        return Err(failed(format!("{} cells for {} rows", cells.len(), array.len())));
    }
    Ok(Arc::new(cells))
}
