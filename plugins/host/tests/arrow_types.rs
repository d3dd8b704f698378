//! Parquet written by pyarrow → host → guest → host → Parquet: every column comes back as it went.
//! `tests/oracles/arrow_types.py` writes the fixture, and compares what this test leaves with it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and writes files that nobody depends on"
)]

use std::fs::File;
use std::path::Path;

use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use luthier_plugin_host::{Context, Host, HostConfig};
use luthier_synth::TaskTemplate;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

const ECHO: &[u8] = include_bytes!("../../../tests/guests/echo/echo.wasm");

fn fixture() -> RecordBatch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/arrow-types.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(Result::unwrap).next().unwrap()
}

#[test]
fn every_column_returns_as_it_went() {
    let rows = fixture();
    let host = Host::new(HostConfig::default()).unwrap();
    let plugin = host.load(ECHO).unwrap();
    let mut template = plugin.open_template(&json!({}), Context::default(), &Default::default()).unwrap();
    template.validate(&rows).unwrap();
    let returned = template.generate(u32::try_from(rows.num_rows()).unwrap()).unwrap();
    assert_eq!(returned.num_columns(), 14);
    for (field, column) in returned.schema().fields().iter().zip(returned.columns()) {
        let sent = rows.column_by_name(field.name()).unwrap();
        let expected = match sent.data_type() {
            DataType::Dictionary(_, values) => arrow_cast::cast(sent, values).unwrap(),
            _ => sent.clone(),
        };
        assert_eq!(column, &expected, "{}", field.name());
        assert_eq!(column.null_count(), usize::from(field.name() != "text"), "{}", field.name());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("returned.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), returned.schema(), None).unwrap();
    writer.write(&returned).unwrap();
    writer.close().unwrap();
    // With an interpreter that has pyarrow, it is the judge as well.
    if let Some(python) = std::env::var_os("LUTHIER_PYARROW") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracles/arrow_types.py");
        assert!(std::process::Command::new(python).arg(script).arg(&path).status().unwrap().success());
    }
}
