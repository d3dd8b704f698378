//! Parquet files, of which some are truncated and some are hostile.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;

use crate::{Error, Result};

/// Bytes of decoded columns. Compression ratios of text are below 10; a file of a few KB that
/// claims more than this is no dataset.
const MAX_DECODED_BYTES: usize = 16 << 30;

const ROWS_PER_READ: usize = 8192;

/// All rows, with the file's own column types.
pub(crate) fn read(path: &Path, file: File) -> Result<RecordBatch> {
    let wrong = |found: String| Error::Parquet { path: path.to_path_buf(), found };
    // The reader asserts in places where a damaged file can reach; such a panic is the file's
    // fault, and must not take the engine's worker down.
    match catch_unwind(AssertUnwindSafe(|| decode(file))) {
        Ok(Ok(batch)) => Ok(batch),
        Ok(Err(found)) => Err(wrong(found)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(wrong(format!("damaged inside: {}", text.unwrap_or("unknown fault"))))
        }
    }
}

fn decode(file: File) -> Result<RecordBatch, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    let schema = builder.schema().clone();
    let n_rows = builder.metadata().file_metadata().num_rows();
    let reader = builder.with_batch_size(ROWS_PER_READ).build().map_err(|error| error.to_string())?;
    let mut batches = Vec::new();
    let mut decoded_bytes = 0;
    for batch in reader {
        let batch = batch.map_err(|error| error.to_string())?;
        decoded_bytes += batch.get_array_memory_size();
        if decoded_bytes > MAX_DECODED_BYTES {
            return Err(format!("its columns decode to more than {MAX_DECODED_BYTES} bytes"));
        }
        batches.push(batch);
    }
    let batch = concat_batches(&schema, &batches).map_err(|error| error.to_string())?;
    if i64::try_from(batch.num_rows()) != Ok(n_rows) {
        return Err(format!("its footer counts {n_rows} rows, it holds {}", batch.num_rows()));
    }
    Ok(batch)
}
