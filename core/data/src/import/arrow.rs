//! Arrow IPC files and streams (`.arrow`, `.feather`), as `datasets.save_to_disk` and pyarrow write
//! them.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;

use crate::{Error, Result};

/// At the start (and end) of a file; a stream has none.
const MAGIC: &[u8; 6] = b"ARROW1";

/// All rows of a file or stream, with its own column types.
pub(super) fn read(path: &Path, file: File) -> Result<RecordBatch> {
    let wrong = |found: String| Error::ArrowFile { path: path.to_path_buf(), found };
    // The reader asserts in places where a damaged file can reach.
    match catch_unwind(AssertUnwindSafe(|| decode(path, file))) {
        Ok(Ok(batch)) => Ok(batch),
        Ok(Err(found)) => Err(wrong(found)),
        Err(_) => Err(wrong("damaged inside".into())),
    }
}

fn decode(path: &Path, mut file: File) -> Result<RecordBatch, String> {
    let mut head = Vec::new();
    let io = |error: std::io::Error| error.to_string();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut head).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let reader = BufReader::new(file);
    if head == MAGIC {
        let reader = FileReader::try_new(reader, None).map_err(describe)?;
        let schema = reader.schema();
        gather(&schema, reader)
    } else {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let reader = StreamReader::try_new(reader, None)
            .map_err(|error| format!("{name} is neither an Arrow IPC file nor a stream: {}", describe(error)))?;
        let schema = reader.schema();
        gather(&schema, reader)
    }
}

fn gather(
    schema: &arrow_schema::SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<RecordBatch, String> {
    let batches = batches.collect::<Result<Vec<RecordBatch>, ArrowError>>().map_err(describe)?;
    concat_batches(schema, &batches).map_err(describe)
}

fn describe(error: ArrowError) -> String {
    let text = error.to_string();
    if text.contains("lz4") || text.contains("zstd") || text.contains("ompress") {
        return format!("its buffers are compressed, which is not read here; write it without compression ({text})");
    }
    text
}
