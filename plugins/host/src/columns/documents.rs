//! A column of any type as one JSON document per row.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::DataType;
use serde_json::Value;

use super::{ipc, to_guest::single};

/// Text is JSON already (datasets keep nested values as JSON text); any other value becomes JSON, a
/// null stays null. The finding, if a text is no JSON or a type has no JSON form.
pub(crate) fn from_array(array: &ArrayRef) -> Result<StringArray, String> {
    if matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        let texts = cast(array, &DataType::Utf8).map_err(|error| error.to_string())?;
        let texts = texts.as_string::<i32>().clone();
        for (row, text) in texts.iter().enumerate().filter_map(|(row, text)| text.map(|text| (row, text))) {
            let read: Result<serde::de::IgnoredAny, _> = serde_json::from_str(text);
            read.map_err(|error| format!("text that is no JSON at row {row}: {error}"))?;
        }
        return Ok(texts);
    }
    let array = ipc::unpacked(array).map_err(|error| error.to_string())?;
    let batch = single("cell", &array).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut lines);
    writer.write(&batch).and_then(|()| writer.finish()).map_err(|error| error.to_string())?;
    drop(writer);
    let lines = String::from_utf8(lines).map_err(|error| error.to_string())?;
    lines
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            Ok(row.get("cell").filter(|cell| !cell.is_null()).map(ToString::to_string))
        })
        .collect()
}
