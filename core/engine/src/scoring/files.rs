//! Predictions as files: Parquet for people's tools, JSONL for a client that scores them itself.

use std::fs::File;
use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use luthier_eval::{Outcome, Prediction, Questions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use crate::Error;

/// Predictions are not read back from a larger file.
const MAX_PARQUET_BYTES: u64 = 4 << 30;

/// Write a table, whole or not at all.
pub(crate) fn write_parquet(path: &Path, table: &RecordBatch) -> Result<(), Error> {
    let zstd = ZstdLevel::try_new(3).map(Compression::ZSTD).unwrap_or(Compression::SNAPPY);
    let properties = WriterProperties::builder().set_compression(zstd).build();
    luthier_data::atomic::write_with(path, |file| -> std::io::Result<()> {
        let mut writer = ArrowWriter::try_new(file, table.schema(), Some(properties))?;
        writer.write(table)?;
        writer.close()?;
        Ok(())
    })
    .map_err(|source| Error::io("write", path, source))
}

/// Read what [`write_parquet`] wrote.
pub(crate) fn read_predictions(path: &Path) -> Result<RecordBatch, Error> {
    let stored = |found: String| Error::Stored { path: path.to_path_buf(), expected: "predictions", found };
    let file = File::open(path).map_err(|source| Error::io("read", path, source))?;
    let n_bytes = file.metadata().map_err(|source| Error::io("read", path, source))?.len();
    if n_bytes > MAX_PARQUET_BYTES {
        return Err(stored(format!("{n_bytes} bytes")));
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| stored(error.to_string()))?;
    let schema = builder.schema().clone();
    let reader = builder.build().map_err(|error| stored(error.to_string()))?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| stored(error.to_string()))?;
    arrow_select::concat::concat_batches(&schema, &batches).map_err(|error| stored(error.to_string()))
}

/// One object per arm and row, arm by arm, in the order in which a client returns its scores. Keys:
/// `arm`, `part`, `prompt`, `reference`, `prediction`, `completion`, `error` and the dataset's own.
pub(crate) fn write_jsonl(
    path: &Path,
    questions: &Questions,
    arms: &[(String, Vec<Prediction>)],
) -> Result<u64, Error> {
    use std::io::Write;
    let mut n_rows = 0;
    luthier_data::atomic::write_with(path, |file| -> std::io::Result<()> {
        for (label, predictions) in arms {
            for (row, prediction) in predictions.iter().enumerate() {
                serde_json::to_writer(&mut *file, &object(questions, label, row, prediction))?;
                file.write_all(b"\n")?;
                n_rows += 1;
            }
        }
        Ok(())
    })
    .map_err(|source| Error::io("write", path, source))?;
    Ok(n_rows)
}

fn object(questions: &Questions, label: &str, row: usize, prediction: &Prediction) -> Map<String, Value> {
    let text = |column: &[String]| Value::from(column.get(row).map_or("", String::as_str));
    let cell = |column: &ArrayRef| Value::from(luthier_data::cell_text(column.as_ref(), row));
    let mut object: Map<String, Value> =
        questions.columns.iter().map(|(name, column)| (name.clone(), cell(column))).collect();
    object.insert("arm".into(), Value::from(label));
    object.insert("part".into(), text(&questions.parts));
    object.insert("prompt".into(), text(&questions.prompts));
    object.insert("reference".into(), text(&questions.references));
    object.insert("prediction".into(), Value::from(prediction.answer().unwrap_or_default()));
    object.insert("completion".into(), Value::from(prediction.completion.as_str()));
    if let Outcome::Failed(reason) = &prediction.outcome {
        object.insert("error".into(), Value::from(reason.as_str()));
    }
    object
}
