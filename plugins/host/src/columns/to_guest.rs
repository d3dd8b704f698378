//! Arrow to guest: buffers as they are, after a cast to the type that the guest declared.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;

use super::{Expected, documents, ipc};
use crate::Error;
use crate::bindings::data::{self, LogicalType};

/// All columns of `rows`, each as the guest declared it; one that it did not declare as what is nearest.
pub(crate) fn to_guest(rows: &RecordBatch, declared: &[Expected]) -> Result<data::Batch, Error> {
    let columns = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, array)| {
            let name = field.name();
            let declared = declared.iter().find(|declared| declared.name == *name);
            let data = match declared {
                Some(declared) => column(name, array, declared)?,
                None => column(name, array, &Expected::new(name, nearest_type(array.data_type())).nullable())?,
            };
            Ok(data::NamedColumn { name: name.clone(), data })
        })
        .collect::<Result<_, Error>>()?;
    let n_rows = u32::try_from(rows.num_rows()).map_err(|_| Error::ColumnType {
        column: String::new(),
        expected: "fewer than 4294967296 rows".to_owned(),
        found: format!("{} rows", rows.num_rows()),
    })?;
    Ok(data::Batch { rows: n_rows, columns })
}

fn column(name: &str, array: &ArrayRef, declared: &Expected) -> Result<data::Column, Error> {
    let wrong = |found: String| Error::ColumnType { column: name.to_owned(), expected: declared.describe(), found };
    if !declared.nullable && array.logical_null_count() > 0 {
        return Err(wrong(format!("{} with {} nulls", array.data_type(), array.logical_null_count())));
    }
    Ok(match declared.ty {
        LogicalType::Ipc => {
            let array = ipc::unpacked(array).map_err(|error| wrong(error.to_string()))?;
            if !declared.takes(array.data_type()) {
                return Err(wrong(array.data_type().to_string()));
            }
            data::Column::Ipc(ipc::encode(name, &array).map_err(|error| wrong(error.to_string()))?)
        }
        LogicalType::Json => data::Column::Json(text(&documents::from_array(array).map_err(wrong)?)),
        LogicalType::Utf8 => data::Column::Utf8(text(cast(array, &DataType::Utf8).map_err(wrong)?.as_string())),
        LogicalType::Int64 => {
            let array = cast(array, &DataType::Int64).map_err(wrong)?;
            data::Column::Int64(data::Int64Column {
                values: array.as_primitive::<Int64Type>().values().to_vec(),
                validity: bitmap(array.nulls()),
            })
        }
        LogicalType::Float64 => {
            let array = cast(array, &DataType::Float64).map_err(wrong)?;
            data::Column::Float64(data::Float64Column {
                values: array.as_primitive::<Float64Type>().values().to_vec(),
                validity: bitmap(array.nulls()),
            })
        }
        LogicalType::Boolean => {
            let array = cast(array, &DataType::Boolean).map_err(wrong)?;
            let bits = array.as_boolean().values().sliced();
            data::Column::Boolean(data::BoolColumn {
                values: first_bits(&bits, array.len()),
                validity: bitmap(array.nulls()),
            })
        }
    })
}

/// The cast, or in words why there is none. Numbers that do not fit are an error, not a null; text is
/// never parsed.
fn cast(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, String> {
    let array = ipc::unpacked(array).map_err(|error| error.to_string())?;
    let found = array.data_type();
    if found == target {
        return Ok(array);
    }
    let related = match target {
        DataType::Utf8 => !found.is_nested() && !matches!(found, DataType::Binary | DataType::LargeBinary),
        DataType::Int64 => found.is_integer(),
        DataType::Float64 => found.is_numeric(),
        _ => false,
    };
    if !related && *found != DataType::Null {
        return Err(found.to_string());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&array, target, &options).map_err(|error| error.to_string())
}

fn nearest_type(found: &DataType) -> LogicalType {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => LogicalType::Utf8,
        DataType::Boolean => LogicalType::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => LogicalType::Float64,
        DataType::Dictionary(_, values) => nearest_type(values),
        found if found.is_integer() => LogicalType::Int64,
        _ => LogicalType::Ipc,
    }
}

/// A slice's offsets start anywhere; a guest's start at 0.
fn text(array: &StringArray) -> data::Utf8Column {
    let offsets = array.value_offsets();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    let bytes = array.value_data().get(first as usize..last as usize).unwrap_or_default().to_vec();
    let offsets = offsets.iter().map(|offset| (offset - first) as u32).collect();
    data::Utf8Column { offsets, bytes, validity: bitmap(array.nulls()) }
}

fn bitmap(nulls: Option<&NullBuffer>) -> Option<Vec<u8>> {
    nulls.map(|nulls| first_bits(&nulls.inner().sliced(), nulls.len()))
}

fn first_bits(bytes: &[u8], n_bits: usize) -> Vec<u8> {
    bytes.get(..n_bits.div_ceil(8)).unwrap_or(bytes).to_vec()
}

/// Keeps `Arc` in one place for callers that build single columns.
pub(crate) fn single(name: &str, array: &ArrayRef) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let field = arrow_schema::Field::new(name, array.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(vec![field])), vec![Arc::clone(array)])
}
