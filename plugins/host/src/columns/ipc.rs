//! The escape hatch for other Arrow types: a stream of one column and one record batch.
//!
//! Readers of Arrow IPC have panicked and aborted on hostile bytes, so a guest's stream is walked
//! message by message first: lengths, types and buffers are within what is there, nothing is
//! compressed or a dictionary, nothing follows the end. Only then does Arrow decode it, with its own
//! full validation.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_ipc::{MessageHeader, root_as_message};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};

use super::to_guest::single;

/// Nesting of a column's type.
const MAX_DEPTH: usize = 16;
/// Fields of a column's type, all levels together.
const MAX_FIELDS: usize = 1_024;
/// Length of a list or value whose size is part of its type.
const MAX_FIXED: i32 = 1 << 20;
/// Precedes every message of the format since 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The array without dictionaries and run-length encoding, at any depth.
pub(crate) fn unpacked(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let plain = plain_type(array.data_type());
    if plain == *array.data_type() { Ok(Arc::clone(array)) } else { cast(array, &plain) }
}

fn plain_type(found: &DataType) -> DataType {
    let plain = |field: &FieldRef| -> FieldRef {
        Arc::new(field.as_ref().clone().with_data_type(plain_type(field.data_type())))
    };
    match found {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::List(field) => DataType::List(plain(field)),
        DataType::LargeList(field) => DataType::LargeList(plain(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(plain(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(field, sorted) => DataType::Map(plain(field), *sorted),
        other => other.clone(),
    }
}

/// Whether two types are the same, names and nullability of nested fields aside.
pub(crate) fn same_type(a: &DataType, b: &DataType) -> bool {
    loose(a).equals_datatype(&loose(b))
}

fn loose(found: &DataType) -> DataType {
    let loosen = |field: &FieldRef| -> FieldRef { Arc::new(Field::new(field.name(), loose(field.data_type()), true)) };
    match found {
        DataType::List(field) => DataType::List(loosen(field)),
        DataType::LargeList(field) => DataType::LargeList(loosen(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(loosen(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(loosen).collect()),
        DataType::Map(field, sorted) => DataType::Map(loosen(field), *sorted),
        other => other.clone(),
    }
}

/// The stream of one column.
pub(crate) fn encode(name: &str, array: &ArrayRef) -> Result<Vec<u8>, ArrowError> {
    let batch = single(name, array)?;
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(&batch)?;
    writer.finish()?;
    writer.into_inner()
}

/// The column of a guest's stream, or what is wrong with it.
pub(crate) fn decode(stream: &[u8], rows: usize) -> Result<ArrayRef, String> {
    walk(stream, rows)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| -> Result<ArrayRef, ArrowError> {
        let mut reader = StreamReader::try_new(Cursor::new(stream), None)?;
        let nothing = || ArrowError::IpcError("no record batch".to_owned());
        let batch = reader.next().ok_or_else(nothing)??;
        batch.columns().first().cloned().ok_or_else(nothing)
    }));
    let array = decoded.map_err(|_| "a stream that cannot be read".to_owned())?.map_err(|error| error.to_string())?;
    if array.len() != rows {
        return Err(format!("{} rows, expected {rows}", array.len()));
    }
    let mut n_fields = 0;
    check_type(array.data_type(), 0, &mut n_fields)?;
    Ok(array)
}

/// Framing, in Arrow's specification: continuation, length of the metadata, metadata, body.
fn walk(stream: &[u8], rows: usize) -> Result<(), String> {
    let mut rest = stream;
    let (mut schemas, mut batches) = (0, 0);
    loop {
        let Some((head, after)) = rest.split_at_checked(8) else { return Err("a truncated stream".to_owned()) };
        let (continuation, length) = head.split_at(4);
        if continuation != CONTINUATION {
            return Err("a message without its continuation marker".to_owned());
        }
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
        if length == 0 {
            rest = after;
            break;
        }
        let (metadata, after) = after.split_at_checked(length).ok_or("a truncated message")?;
        let message = catch_unwind(|| {
            root_as_message(metadata).map(|message| {
                let body = usize::try_from(message.bodyLength()).unwrap_or(usize::MAX);
                (message.header_type(), body, check_batch(&message, rows))
            })
        })
        .map_err(|_| "a damaged message".to_owned())?
        .map_err(|error| format!("a damaged message: {error}"))?;
        let (header, body, checked) = message;
        match header {
            MessageHeader::Schema if body == 0 => schemas += 1,
            MessageHeader::RecordBatch => batches += 1,
            MessageHeader::DictionaryBatch => return Err("a dictionary; unpack it".to_owned()),
            _ => return Err("a message that is neither a schema nor a record batch".to_owned()),
        }
        checked?;
        rest = after.split_at_checked(body).ok_or("a truncated body")?.1;
        if schemas != 1 || batches > 1 {
            return Err("a stream of other than one schema and one record batch".to_owned());
        }
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes after the end of the stream", rest.len()));
    }
    if batches != 1 {
        return Err("a stream without a record batch".to_owned());
    }
    Ok(())
}

fn check_batch(message: &arrow_ipc::Message<'_>, rows: usize) -> Result<(), String> {
    if let Some(schema) = message.header_as_schema() {
        let fields = schema.fields().map_or(0, |fields| fields.len());
        return if fields == 1 { Ok(()) } else { Err(format!("a stream of {fields} columns")) };
    }
    let Some(batch) = message.header_as_record_batch() else { return Ok(()) };
    if batch.compression().is_some() {
        return Err("a compressed body".to_owned());
    }
    if usize::try_from(batch.length()) != Ok(rows) {
        return Err(format!("{} rows, expected {rows}", batch.length()));
    }
    let body = message.bodyLength();
    for buffer in batch.buffers().iter().flatten() {
        let end = buffer.offset().checked_add(buffer.length());
        if buffer.offset() < 0 || buffer.length() < 0 || end.is_none_or(|end| end > body) {
            return Err("a buffer outside of its body".to_owned());
        }
    }
    for node in batch.nodes().iter().flatten() {
        if node.length() < 0 || node.null_count() < 0 || node.null_count() > node.length() {
            return Err("a column of impossible length".to_owned());
        }
    }
    Ok(())
}

fn check_type(found: &DataType, depth: usize, n_fields: &mut usize) -> Result<(), String> {
    *n_fields += 1;
    if depth > MAX_DEPTH || *n_fields > MAX_FIELDS {
        return Err(format!("a type of more than {MAX_DEPTH} levels or {MAX_FIELDS} fields"));
    }
    match found {
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) | DataType::Union(..) => {
            Err(format!("the type {found}, which is not taken from plugins"))
        }
        DataType::FixedSizeBinary(size) if !(0..=MAX_FIXED).contains(size) => Err(format!("values of {size} bytes")),
        DataType::FixedSizeList(_, size) if !(0..=MAX_FIXED).contains(size) => Err(format!("lists of {size} values")),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => check_type(field.data_type(), depth + 1, n_fields),
        DataType::Struct(fields) => {
            fields.iter().try_for_each(|field| check_type(field.data_type(), depth + 1, n_fields))
        }
        _ => Ok(()),
    }
}
