use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float32Array, LargeStringArray, RecordBatch,
    StringArray, StringViewArray, StructArray, UInt64Array,
};
use arrow_schema::{DataType, Field};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{normalize::normalize, read_table};
use crate::Error;

struct Scratch {
    dir: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Scratch { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        crate::atomic::write(&path, bytes.as_ref()).unwrap();
        path
    }

    fn read(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<RecordBatch, Error> {
        read_table(&self.file(name, bytes), None)
    }

    /// The error without the directory.
    fn error(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let text = self.read(name, bytes).unwrap_err().to_string();
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn strings(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    array.iter().map(|cell| cell.map(str::to_string)).collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some(text.to_string())).collect()
}

#[test]
fn csv_cells_stay_text() {
    let batch = Scratch::new().read("a.csv", "\u{feff}prompt,completion\r\n\"a, \"\"b\"\"\nc\",007\r\né,\r\n").unwrap();
    assert_eq!(strings(&batch, "prompt"), some(&["a, \"b\"\nc", "é"]));
    assert_eq!(strings(&batch, "completion"), some(&["007", ""]));
    let tabs = Scratch::new().read("a.tsv", "q\ta\n1\t2, 3\n").unwrap();
    assert_eq!(strings(&tabs, "a"), some(&["2, 3"]));
}

#[test]
fn json_and_jsonl_keep_types() {
    let array = r#"[{"q": "a", "n": 1, "x": 1, "b": true, "m": [{"role": "user"}]}, {"x": 0.5, "q": null, "n": -2, "b": false, "extra": "e"}]"#;
    let lines = array[1..array.len() - 1].replace("}, {\"x\"", "}\n\n{\"x\"");
    for (name, text) in [("a.json", array), ("a.jsonl", &lines), ("b.json", &lines), ("a.ndjson", &lines)] {
        let batch = Scratch::new().read(name, text).unwrap();
        assert_eq!(batch.num_rows(), 2, "{name}");
        let names: Vec<String> = crate::roles::column_names(&batch);
        assert_eq!(names, ["q", "n", "x", "b", "m", "extra"]);
        assert_eq!(strings(&batch, "q"), [Some("a".to_string()), None]);
        assert_eq!(batch.column_by_name("n").unwrap().as_primitive::<Int64Type>().values(), &[1, -2]);
        assert_eq!(batch.column_by_name("x").unwrap().as_primitive::<Float64Type>().values(), &[1.0, 0.5]);
        assert!(batch.column_by_name("b").unwrap().as_boolean().value(0));
        assert_eq!(strings(&batch, "m"), [Some(r#"[{"role":"user"}]"#.to_string()), None]);
        assert_eq!(strings(&batch, "extra"), [None, Some("e".to_string())]);
    }
}

#[test]
fn errors_name_file_place_expectation_and_finding() {
    let scratch = Scratch::new();
    let errors = [
        scratch.error("a.jsonl", "{\"a\": 1}\n{\"a\": }\n"),
        scratch.error("a.jsonl", "{\"a\": 1}\n\n[1]\n"),
        scratch.error("a.jsonl", b"{\"a\": 1}\n{\"a\": \"\xff\"}\n"),
        scratch.error("a.jsonl", "{\"a\": \"x\"}\n{\"a\": 2}\n"),
        scratch.error("a.jsonl", "\n\n"),
        scratch.error("a.json", "[{\"a\": 1},\n {\"a\": 2,}]"),
        scratch.error("a.json", "[{\"a\": 1}, 7]"),
        scratch.error("a.json", "[]"),
        scratch.error("a.json", ""),
        scratch.error("a.json", "\"text\""),
        scratch.error("a.csv", ""),
        scratch.error("a.csv", "a,b\n"),
        scratch.error("a.csv", "a,b\n1,2\n1,2,3\n"),
        scratch.error("a.csv", "a,a\n1,2\n"),
        scratch.error("a.csv", "a,\n1,2\n"),
        scratch.error("a.csv", "a,b\n1,\"2\n3,4\n5,6\n"),
        scratch.error("a.csv", b"a,b\n1,\xe9\n"),
        scratch.error("a.csv", b"\xff\xfea\x00"),
        scratch.error("a.xlsx", "x"),
        scratch.error("noextension", "x"),
        scratch.error("a.parquet", "x"),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    a.jsonl:2: expected a JSON object, found malformed JSON: expected value at column 7
    a.jsonl:3: expected a JSON object, found a list or object `[1]`
    a.jsonl:2: expected UTF-8 text, found byte 0xFF
    a.jsonl: row 2, column `a`: expected a string, as in row 1, found a number `2`
    a.jsonl: expected at least one row, found none
    a.json:2: expected a JSON array of objects, found malformed JSON: trailing comma at column 10
    a.json: row 2: expected a JSON object, found a number `7`
    a.json: expected at least one row, found none
    a.json: expected at least one row, found none
    a.json:1: expected a JSON array of objects, found a string `"text"`
    a.csv: expected at least one row, found none
    a.csv: expected at least one row, found none
    a.csv:3: expected 2 cells, as in the header, found 3 cells
    a.csv:1: expected every column name once in the header, found `a` twice
    a.csv:1: expected a name for every column in the header, found an empty name
    a.csv:2: expected a closing quote, found the end of the file after `1,"2 3,4 5,6`
    a.csv:2: expected UTF-8 text, found byte 0xE9
    a.csv:1: expected UTF-8 text, found UTF-16 (save the file as UTF-8)
    a.xlsx: expected csv, tsv, json, jsonl, parquet, arrow or text, found `xlsx`
    noextension: expected csv, tsv, json, jsonl, parquet, arrow or text, found a file without an extension
    a.parquet: not a readable Parquet file: EOF: Parquet file too small. Size is 1 but need 8
    "#);
}

#[test]
fn files_that_are_none_are_errors() {
    let scratch = Scratch::new();
    assert!(matches!(read_table(&scratch.dir.path().join("none.csv"), None), Err(Error::Io { .. })));
    assert!(matches!(read_table(scratch.dir.path(), Some("csv")), Err(Error::Io { .. })));
    let path = scratch.file("data.dat", "a\n1\n");
    assert!(matches!(read_table(&path, None), Err(Error::UnknownFormat { .. })));
    assert_eq!(read_table(&path, Some("CSV")).unwrap().num_rows(), 1);
}

#[test]
fn deep_and_huge_json_is_refused_or_read() {
    let scratch = Scratch::new();
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(scratch.error("deep.jsonl", &deep).contains("recursion limit"));
    assert!(scratch.error("deep.json", format!("[{deep}]")).contains("recursion limit"));
    let huge = format!("{{\"a\": \"{}\"}}", "x".repeat(5 << 20));
    assert_eq!(scratch.read("huge.jsonl", huge).unwrap().num_rows(), 1);
    let path = scratch.dir.path().join("endless.jsonl");
    let mut file = std::io::BufWriter::new(tempfile::NamedTempFile::new_in(scratch.dir.path()).unwrap());
    for _ in 0..65 {
        file.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    file.into_inner().unwrap().persist(&path).unwrap();
    assert!(read_table(&path, None).unwrap_err().to_string().contains("a line of at most"));
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn mixed() -> RecordBatch {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.values().append_value("x");
    list.append(true);
    list.append(false);
    let role = Arc::new(StringArray::from(vec!["user", "user"])) as ArrayRef;
    let content = Arc::new(StringArray::from(vec![Some("a\nb"), None])) as ArrayRef;
    let message = StructArray::from(vec![
        (Arc::new(Field::new("role", DataType::Utf8, true)), role),
        (Arc::new(Field::new("content", DataType::Utf8, true)), content),
    ]);
    let dictionary: DictionaryArray<Int32Type> = vec!["a", "b"].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("large", Arc::new(LargeStringArray::from(vec![Some("a"), None]))),
        ("view", Arc::new(StringViewArray::from(vec!["a", "b"]))),
        ("dictionary", Arc::new(dictionary)),
        ("bytes", Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"b"]))),
        ("float", Arc::new(Float32Array::from(vec![0.5, 1.0]))),
        ("unsigned", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
        ("date", Arc::new(Date32Array::from(vec![0, 1]))),
        ("list", Arc::new(list.finish())),
        ("message", Arc::new(message)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

#[test]
fn parquet_columns_come_out_as_four_types() {
    let batch = Scratch::new().read("a.parquet", parquet(&mixed())).unwrap();
    let types: Vec<String> = batch.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Utf8", "Utf8", "Utf8", "Utf8", "Float64", "Int64", "Boolean", "Utf8", "Utf8", "Utf8"]);
    assert_eq!(strings(&batch, "large"), [Some("a".to_string()), None]);
    assert_eq!(strings(&batch, "dictionary"), some(&["a", "b"]));
    assert_eq!(strings(&batch, "date"), some(&["1970-01-01", "1970-01-02"]));
    assert_eq!(strings(&batch, "list"), [Some("[\"x\"]".to_string()), None]);
    assert_eq!(
        strings(&batch, "message"),
        some(&[r#"{"role":"user","content":"a\nb"}"#, r#"{"role":"user","content":null}"#])
    );
}

#[test]
fn columns_that_cannot_be_text_are_named() {
    let single = |array: ArrayRef| RecordBatch::try_from_iter([("c", array)]).unwrap();
    let bytes = normalize("f", &single(Arc::new(BinaryArray::from(vec![b"\xff".as_slice()]))));
    assert!(matches!(bytes, Err(Error::ColumnType { column, .. }) if column == "c"));
    let large = normalize("f", &single(Arc::new(UInt64Array::from(vec![u64::MAX]))));
    assert!(matches!(large, Err(Error::ColumnType { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// A damaged file is an error or other rows, never a panic or an abort.
    #[test]
    fn damaged_parquet_never_panics(cut in 0usize..1500, flips in prop::collection::vec((0usize..1500, any::<u8>()), 0..6)) {
        let mut bytes = parquet(&mixed());
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if cut < 700 {
            bytes.truncate(bytes.len().saturating_sub(cut));
        }
        let _ = Scratch::new().read("a.parquet", &bytes);
    }

    #[test]
    fn any_bytes_are_rows_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), format in 0usize..4) {
        let name = ["a.csv", "a.json", "a.jsonl", "a.parquet"][format];
        let _ = Scratch::new().read(name, &bytes);
    }
}

#[test]
fn every_truncation_of_a_parquet_file_is_an_error() {
    let scratch = Scratch::new();
    let bytes = parquet(&mixed());
    for n in (0..bytes.len()).step_by(37) {
        assert!(matches!(scratch.read("a.parquet", &bytes[..n]), Err(Error::Parquet { .. })), "{n} bytes");
    }
}
