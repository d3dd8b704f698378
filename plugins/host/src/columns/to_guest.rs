//! Arrow to guest: buffers as they are, after a cast to one of the interface's five types.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;

use crate::Error;
use crate::bindings::data;

const ACCEPTED: &str = "text, integers, floats and booleans (nest other values as JSON text)";

/// All columns of `rows`.
pub(crate) fn to_guest(rows: &RecordBatch) -> Result<data::Batch, Error> {
    let columns = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, array)| Ok(data::NamedColumn { name: field.name().clone(), data: column(field.name(), array)? }))
        .collect::<Result<_, Error>>()?;
    let n_rows = u32::try_from(rows.num_rows()).map_err(|_| Error::ColumnType {
        column: String::new(),
        expected: "fewer than 4294967296 rows",
        found: format!("{} rows", rows.num_rows()),
    })?;
    Ok(data::Batch { rows: n_rows, columns })
}

fn column(name: &str, array: &ArrayRef) -> Result<data::Column, Error> {
    let target = wire_type(array.data_type()).ok_or_else(|| Error::ColumnType {
        column: name.to_owned(),
        expected: ACCEPTED,
        found: array.data_type().to_string(),
    })?;
    // Not `safe`: a number that does not fit is an error, not a null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let array = cast_with_options(array, &target, &options).map_err(|error| Error::ColumnType {
        column: name.to_owned(),
        expected: ACCEPTED,
        found: error.to_string(),
    })?;
    Ok(match target {
        DataType::Int64 => data::Column::Int64(data::Int64Column {
            values: array.as_primitive::<Int64Type>().values().to_vec(),
            validity: bitmap(array.nulls()),
        }),
        DataType::Float64 => data::Column::Float64(data::Float64Column {
            values: array.as_primitive::<Float64Type>().values().to_vec(),
            validity: bitmap(array.nulls()),
        }),
        DataType::Boolean => {
            let bits = array.as_boolean().values().sliced();
            data::Column::Boolean(data::BoolColumn {
                values: first_bits(&bits, array.len()),
                validity: bitmap(array.nulls()),
            })
        }
        _ => data::Column::Utf8(text(array.as_string())),
    })
}

fn wire_type(found: &DataType) -> Option<DataType> {
    Some(match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Boolean => DataType::Boolean,
        DataType::Dictionary(_, values) => wire_type(values)?,
        _ => return None,
    })
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
