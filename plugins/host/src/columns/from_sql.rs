//! A query's result as columns. SQLite types values, not columns; `wit/plugin.wit` says how mixed
//! columns cross.

use luthier_plugin::{BooleanColumn, Column, Rows, SqlValue, Utf8Column};

use crate::bindings::data;

/// All columns of `rows`.
pub(crate) fn from_sql(rows: Rows) -> data::Batch {
    let n_rows = rows.rows.len();
    let columns = rows
        .columns
        .into_iter()
        .enumerate()
        .map(|(i, name)| {
            let values = rows.rows.iter().map(|row| row.get(i).unwrap_or(&SqlValue::Null));
            data::NamedColumn { name, data: to_wit(column(values)) }
        })
        .collect();
    // The number of rows is limited to far less than 2^32 by every budget.
    data::Batch { rows: n_rows as u32, columns }
}

fn column<'a>(values: impl Iterator<Item = &'a SqlValue> + Clone) -> Column {
    let all =
        |class: fn(&SqlValue) -> bool| values.clone().all(|value| matches!(value, SqlValue::Null) || class(value));
    if all(|value| matches!(value, SqlValue::Text(_))) {
        return Column::Utf8(values.map(text).collect());
    }
    if all(|value| matches!(value, SqlValue::Integer(_))) {
        return Column::Int64(values.map(integer).collect());
    }
    if all(|value| matches!(value, SqlValue::Real(_))) {
        return Column::Float64(values.map(real).collect());
    }
    Column::Json(Utf8Column::from_texts(values.map(document)))
}

fn text(value: &SqlValue) -> Option<&str> {
    if let SqlValue::Text(text) = value { Some(text) } else { None }
}

fn integer(value: &SqlValue) -> Option<i64> {
    if let SqlValue::Integer(integer) = value { Some(*integer) } else { None }
}

fn real(value: &SqlValue) -> Option<f64> {
    if let SqlValue::Real(real) = value { Some(*real) } else { None }
}

fn document(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => "null".to_owned(),
        SqlValue::Integer(integer) => integer.to_string(),
        // `{:?}` always has a point or an exponent, which keeps 1.0 apart from 1.
        SqlValue::Real(real) if real.is_finite() => format!("{real:?}"),
        SqlValue::Real(real) => format!("{{\"real\":\"{real}\"}}"),
        SqlValue::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        SqlValue::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{{\"blob\":\"{hex}\"}}")
        }
    }
}

fn to_wit(column: Column) -> data::Column {
    match column {
        Column::Utf8(Utf8Column { offsets, bytes, validity }) => {
            data::Column::Utf8(data::Utf8Column { offsets, bytes, validity })
        }
        Column::Json(Utf8Column { offsets, bytes, validity }) => {
            data::Column::Json(data::Utf8Column { offsets, bytes, validity })
        }
        Column::Float64(column) => {
            data::Column::Float64(data::Float64Column { values: column.values, validity: column.validity })
        }
        Column::Int64(column) => {
            data::Column::Int64(data::Int64Column { values: column.values, validity: column.validity })
        }
        Column::Boolean(BooleanColumn { bits, validity, .. }) => {
            data::Column::Boolean(data::BoolColumn { values: bits, validity })
        }
        Column::Ipc(stream) => data::Column::Ipc(stream),
    }
}
