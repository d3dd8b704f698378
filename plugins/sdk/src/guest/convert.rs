//! Generated types to the crate's own, and back. Buffers move, they are not copied.

use crate::bindings::metric::luthier::plugin::data as wit;
use crate::{
    Batch, BooleanColumn, Column, ColumnSpec, Context, Error, Float64Column, Int64Column, LogicalType, NamedColumn,
    Utf8Column,
};

pub(super) fn batch_in(batch: wit::Batch) -> Batch {
    let rows = batch.rows as usize;
    let columns = batch
        .columns
        .into_iter()
        .map(|column| NamedColumn { name: column.name, data: column_in(column.data, rows) })
        .collect();
    Batch { rows, columns }
}

fn column_in(column: wit::Column, rows: usize) -> Column {
    match column {
        wit::Column::Utf8(column) => Column::Utf8(utf8_in(column)),
        wit::Column::Json(column) => Column::Json(utf8_in(column)),
        wit::Column::Float64(column) => {
            Column::Float64(Float64Column { values: column.values, validity: column.validity })
        }
        wit::Column::Int64(column) => Column::Int64(Int64Column { values: column.values, validity: column.validity }),
        wit::Column::Boolean(column) => {
            Column::Boolean(BooleanColumn { bits: column.values, rows, validity: column.validity })
        }
        wit::Column::Ipc(stream) => Column::Ipc(stream),
    }
}

fn utf8_in(column: wit::Utf8Column) -> Utf8Column {
    Utf8Column { offsets: column.offsets, bytes: column.bytes, validity: column.validity }
}

pub(super) fn batch_out(batch: Batch) -> wit::Batch {
    let columns = batch
        .columns
        .into_iter()
        .map(|column| wit::NamedColumn { name: column.name, data: column_out(column.data) })
        .collect();
    wit::Batch { rows: batch.rows as u32, columns }
}

fn column_out(column: Column) -> wit::Column {
    match column {
        Column::Utf8(column) => wit::Column::Utf8(utf8_out(column)),
        Column::Json(column) => wit::Column::Json(utf8_out(column)),
        Column::Float64(column) => {
            wit::Column::Float64(wit::Float64Column { values: column.values, validity: column.validity })
        }
        Column::Int64(column) => {
            wit::Column::Int64(wit::Int64Column { values: column.values, validity: column.validity })
        }
        Column::Boolean(column) => {
            wit::Column::Boolean(wit::BoolColumn { values: column.bits, validity: column.validity })
        }
        Column::Ipc(stream) => wit::Column::Ipc(stream),
    }
}

fn utf8_out(column: Utf8Column) -> wit::Utf8Column {
    wit::Utf8Column { offsets: column.offsets, bytes: column.bytes, validity: column.validity }
}

pub(super) fn context_in(context: wit::Context) -> Context {
    let wit::Context { run_id, seed, locale, max_batch_rows, max_batch_bytes } = context;
    Context { run_id, seed, locale, max_batch_rows, max_batch_bytes }
}

pub(super) fn config_in(config: &str) -> Result<crate::json::Value, Error> {
    crate::json::from_str(config).map_err(|error| Error::config("", error.to_string()))
}

pub(super) fn spec_out(spec: ColumnSpec) -> wit::ColumnSpec {
    let ty = match spec.ty {
        LogicalType::Utf8 => wit::LogicalType::Utf8,
        LogicalType::Json => wit::LogicalType::Json,
        LogicalType::Float64 => wit::LogicalType::Float64,
        LogicalType::Int64 => wit::LogicalType::Int64,
        LogicalType::Boolean => wit::LogicalType::Boolean,
        LogicalType::Ipc => wit::LogicalType::Ipc,
    };
    wit::ColumnSpec {
        name: spec.name,
        ty,
        arrow_type: spec.arrow_type,
        nullable: spec.nullable,
        description: spec.description,
    }
}

pub(super) fn error_out(error: Error) -> wit::Error {
    match error {
        Error::InvalidConfig(issues) => wit::Error::InvalidConfig(
            issues.into_iter().map(|issue| wit::Issue { pointer: issue.pointer, message: issue.message }).collect(),
        ),
        Error::SchemaMismatch(message) => wit::Error::SchemaMismatch(message),
        Error::InvalidRows(rows) => wit::Error::InvalidRows(
            rows.into_iter()
                .map(|row| wit::RowIssue { row: row.row, column: row.column, code: row.code, message: row.message })
                .collect(),
        ),
        Error::Unsupported(message) => wit::Error::Unsupported(message),
        Error::Internal(message) => wit::Error::Internal(message),
    }
}
