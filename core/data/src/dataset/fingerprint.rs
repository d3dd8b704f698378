//! The identity of rows: what they hold and in which order, wherever and however they are stored.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use sha2::{Digest, Sha256};

/// `sha256:…` over column names, types and every cell in order. Every length goes before its
/// bytes, so that no two batches have one encoding. Independent of compression, chunks and path.
pub(crate) fn of(batch: &RecordBatch) -> String {
    let mut hash = Sha256::new();
    hash.update(b"luthier-dataset-1\0");
    hash.update((batch.num_columns() as u64).to_le_bytes());
    hash.update((batch.num_rows() as u64).to_le_bytes());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        bytes(&mut hash, field.name().as_bytes());
        bytes(&mut hash, field.data_type().to_string().as_bytes());
        column(&mut hash, array.as_ref());
    }
    format!("sha256:{:x}", hash.finalize())
}

/// Hash of one row of some columns.
pub(crate) fn of_row(columns: &[&dyn Array], row: usize) -> [u8; 32] {
    let mut hash = Sha256::new();
    for array in columns {
        cell(&mut hash, *array, row);
    }
    hash.finalize().into()
}

fn column(hash: &mut Sha256, array: &dyn Array) {
    for row in 0..array.len() {
        cell(hash, array, row);
    }
}

fn cell(hash: &mut Sha256, array: &dyn Array, row: usize) {
    if array.is_null(row) {
        hash.update([0]);
        return;
    }
    hash.update([1]);
    match array.data_type() {
        DataType::Utf8 => bytes(hash, array.as_string::<i32>().value(row).as_bytes()),
        DataType::Int64 => hash.update(array.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Float64 => hash.update(array.as_primitive::<Float64Type>().value(row).to_bits().to_le_bytes()),
        DataType::Boolean => hash.update([u8::from(array.as_boolean().value(row))]),
        other => unreachable!("normalize leaves four types, {other} is none of them"),
    }
}

fn bytes(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
