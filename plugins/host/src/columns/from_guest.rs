//! Guest to Arrow. Whatever a guest returns is checked in full before Arrow sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};

use super::{ipc, json};
use crate::bindings::data::{self, LogicalType};
use crate::limits::Limits;
use crate::{Error, text};

/// What one call must return, and in whose name to complain.
pub(crate) struct Check<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) call: &'static str,
    pub(crate) limits: &'a Limits,
}

/// A column that must (or may) come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) ty: LogicalType,
    pub(crate) nullable: bool,
    pub(crate) optional: bool,
    /// Arrow type of an ipc column; `None`: any.
    pub(crate) arrow_type: Option<DataType>,
}

impl Expected {
    pub(crate) fn new(name: &str, ty: LogicalType) -> Self {
        Self { name: name.to_owned(), ty, nullable: false, optional: false, arrow_type: None }
    }

    /// As a guest declared it; the finding, if its Arrow type is none.
    pub(crate) fn from_spec(spec: &data::ColumnSpec) -> Result<Self, String> {
        let arrow_type = match (&spec.arrow_type, spec.ty) {
            (Some(text), LogicalType::Ipc) => {
                let parsed = text.parse::<DataType>();
                Some(parsed.map_err(|_| format!("the Arrow type `{}`", text::clean(text, 128)))?)
            }
            _ => None,
        };
        Ok(Self { nullable: spec.nullable, arrow_type, ..Self::new(&spec.name, spec.ty) })
    }

    /// Whether an ipc column may have this type.
    pub(crate) fn takes(&self, found: &DataType) -> bool {
        self.arrow_type.as_ref().is_none_or(|declared| ipc::same_type(declared, found))
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let ty = match (self.ty, &self.arrow_type) {
            (LogicalType::Ipc, Some(ty)) => ty.to_string(),
            (LogicalType::Ipc, None) => "any Arrow type".to_owned(),
            (LogicalType::Json, _) => "values with a JSON form".to_owned(),
            (LogicalType::Utf8, _) => "text".to_owned(),
            (LogicalType::Int64, _) => "integers".to_owned(),
            (LogicalType::Float64, _) => "numbers".to_owned(),
            (LogicalType::Boolean, _) => "booleans".to_owned(),
        };
        if self.nullable { ty } else { format!("{ty} without nulls") }
    }

    pub(crate) fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

impl Check<'_> {
    pub(crate) fn error(&self, expected: impl Into<String>, finding: impl Into<String>) -> Error {
        Error::InvalidResult {
            plugin: self.plugin.to_owned(),
            call: self.call,
            expected: expected.into(),
            finding: finding.into(),
        }
    }

    /// The batch with exactly the expected columns, in the expected order, and `n_rows` rows if that is fixed.
    pub(crate) fn batch(
        &self,
        batch: data::Batch,
        n_rows: Option<usize>,
        expected: &[Expected],
    ) -> Result<RecordBatch, Error> {
        let rows = batch.rows as usize;
        if let Some(n_rows) = n_rows.filter(|n_rows| *n_rows != rows) {
            return Err(self.error(format!("{n_rows} rows"), format!("{rows} rows")));
        }
        self.names(&batch.columns, expected)?;
        let mut found = batch.columns;
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for column in expected {
            let Some(position) = found.iter().position(|found| found.name == column.name) else {
                if column.optional {
                    continue;
                }
                return Err(self.error(format!("the column `{}`", column.name), "a batch without it"));
            };
            let array = self.column(&column.name, column, found.swap_remove(position).data, rows)?;
            fields.push(Field::new(&column.name, array.data_type().clone(), column.nullable));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| self.error("a batch", error.to_string()))
    }

    fn names(&self, columns: &[data::NamedColumn], expected: &[Expected]) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for column in columns {
            let name = text::clean(&column.name, 64);
            if !seen.insert(&column.name) {
                return Err(self.error("distinct column names", format!("the column `{name}` twice")));
            }
            if !expected.iter().any(|expected| expected.name == column.name) {
                let names: Vec<_> = expected.iter().map(|expected| format!("`{}`", expected.name)).collect();
                return Err(self.error(format!("the columns {}", names.join(", ")), format!("the column `{name}`")));
            }
        }
        Ok(())
    }

    fn column(&self, name: &str, expected: &Expected, column: data::Column, rows: usize) -> Result<ArrayRef, Error> {
        let array: ArrayRef = match (expected.ty, column) {
            (LogicalType::Utf8, data::Column::Utf8(column)) => Arc::new(self.text(name, column, rows)?),
            (LogicalType::Json, data::Column::Json(column)) => {
                let array = self.text(name, column, rows)?;
                self.json(name, &array)?;
                Arc::new(array)
            }
            (LogicalType::Float64, data::Column::Float64(column)) => Arc::new(self.floats(name, column, rows)?),
            (LogicalType::Int64, data::Column::Int64(column)) => {
                self.length(name, column.values.len(), rows, "values")?;
                let nulls = self.nulls(name, column.validity, rows)?;
                Arc::new(Int64Array::new(column.values.into(), nulls))
            }
            (LogicalType::Boolean, data::Column::Boolean(column)) => {
                self.length(name, column.values.len(), rows.div_ceil(8), "bytes of bits")?;
                let nulls = self.nulls(name, column.validity, rows)?;
                let bits = BooleanBuffer::new(Buffer::from_vec(column.values), 0, rows);
                Arc::new(BooleanArray::new(bits, nulls))
            }
            (LogicalType::Ipc, data::Column::Ipc(stream)) => {
                let array = ipc::decode(&stream, rows)
                    .map_err(|finding| self.error(format!("an Arrow stream in column `{name}`"), finding))?;
                if !expected.takes(array.data_type()) {
                    let found = text::clean(&array.data_type().to_string(), 256);
                    return Err(self.error(format!("column `{name}` of {}", expected.describe()), found));
                }
                array
            }
            (ty, column) => {
                return Err(self.error(
                    format!("column `{name}` of type {}", type_name(ty)),
                    format!("type {}", column_type_name(&column)),
                ));
            }
        };
        if !expected.nullable && array.logical_null_count() > 0 {
            let nulls = format!("{} nulls", array.logical_null_count());
            return Err(self.error(format!("column `{name}` without nulls"), nulls));
        }
        Ok(array)
    }

    fn text(&self, name: &str, column: data::Utf8Column, rows: usize) -> Result<StringArray, Error> {
        let data::Utf8Column { offsets, bytes, validity } = column;
        self.length(name, offsets.len(), rows + 1, "offsets")?;
        let bounds = || format!("offsets of column `{name}` that rise from 0 to {}", bytes.len());
        if offsets.first().is_some_and(|first| *first != 0) {
            return Err(self.error(bounds(), format!("a first offset of {:?}", offsets.first().unwrap_or(&0))));
        }
        if let Some((row, pair)) = offsets.windows(2).enumerate().find(|(_, pair)| pair.is_sorted().eq(&false)) {
            return Err(self.error(bounds(), format!("{pair:?} at row {row}")));
        }
        let last = offsets.last().copied().unwrap_or(0);
        if last as usize != bytes.len() || i32::try_from(last).is_err() {
            return Err(self.error(bounds(), format!("a last offset of {last}")));
        }
        let nulls = self.nulls(name, validity, rows)?;
        let offsets: Vec<i32> = offsets.into_iter().map(|offset| offset as i32).collect();
        // `try_new` checks the text as a whole, and that every offset lies between two characters.
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), nulls)
            .map_err(|error| self.error(format!("UTF-8 in column `{name}`"), error.to_string()))
    }

    fn json(&self, name: &str, array: &StringArray) -> Result<(), Error> {
        for (row, document) in array.iter().enumerate().filter_map(|(row, text)| text.map(|text| (row, text))) {
            json::parse(document, self.limits)
                .map_err(|finding| self.error(format!("JSON in column `{name}`"), format!("{finding} at row {row}")))?;
        }
        Ok(())
    }

    fn floats(&self, name: &str, column: data::Float64Column, rows: usize) -> Result<Float64Array, Error> {
        self.length(name, column.values.len(), rows, "values")?;
        let nulls = self.nulls(name, column.validity, rows)?;
        let array = Float64Array::new(column.values.into(), nulls);
        let not_finite = array.iter().enumerate().find(|(_, value)| value.is_some_and(|value| !value.is_finite()));
        match not_finite {
            Some((row, Some(value))) => {
                Err(self.error(format!("finite numbers in column `{name}`"), format!("{value} at row {row}")))
            }
            _ => Ok(array),
        }
    }

    fn nulls(&self, name: &str, validity: Option<Vec<u8>>, rows: usize) -> Result<Option<NullBuffer>, Error> {
        let Some(bits) = validity else { return Ok(None) };
        self.length(name, bits.len(), rows.div_ceil(8), "bytes of validity")?;
        Ok(Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows))))
    }

    fn length(&self, name: &str, found: usize, expected: usize, what: &str) -> Result<(), Error> {
        if found == expected {
            return Ok(());
        }
        Err(self.error(format!("{expected} {what} in column `{name}`"), found.to_string()))
    }
}

/// The texts of a column that [`Check::batch`] has found to be there, text, and without nulls.
pub(crate) fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    rows.column_by_name(name)
        .filter(|column| column.data_type() == &DataType::Utf8)
        .map(|column| column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect())
        .unwrap_or_default()
}

fn type_name(ty: LogicalType) -> &'static str {
    match ty {
        LogicalType::Utf8 => "utf8",
        LogicalType::Json => "json",
        LogicalType::Float64 => "float64",
        LogicalType::Int64 => "int64",
        LogicalType::Boolean => "boolean",
        LogicalType::Ipc => "ipc",
    }
}

fn column_type_name(column: &data::Column) -> &'static str {
    match column {
        data::Column::Utf8(_) => "utf8",
        data::Column::Json(_) => "json",
        data::Column::Float64(_) => "float64",
        data::Column::Int64(_) => "int64",
        data::Column::Boolean(_) => "boolean",
        data::Column::Ipc(_) => "ipc",
    }
}
