use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Int16Array, LargeStringArray, NullArray, RecordBatch, StringArray,
    TimestampSecondArray, UInt64Array,
};
use luthier_plugin::{Rows, SqlValue};
use proptest::prelude::*;

use super::*;
use crate::bindings::data::{self, LogicalType};
use crate::{Error, Limits};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn back(batch: data::Batch, expected: &[Expected]) -> Result<RecordBatch, Error> {
    Check { plugin: "p", call: "c", limits: &Limits::default() }.batch(batch, None, expected)
}

#[test]
fn the_five_types_and_their_relatives_cross() {
    let rows = batch(vec![
        ("large", Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("ü")]))),
        ("short", Arc::new(Int16Array::from(vec![Some(1), None, Some(-3)]))),
        ("single", Arc::new(Float32Array::from(vec![0.5, 1.5, 2.5]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("nothing", Arc::new(NullArray::new(3))),
    ]);
    let expected = [
        Expected::new("large", LogicalType::Utf8).nullable(),
        Expected::new("short", LogicalType::Int64).nullable(),
        Expected::new("single", LogicalType::Float64).nullable(),
        Expected::new("flag", LogicalType::Boolean).nullable(),
        Expected::new("nothing", LogicalType::Utf8).nullable(),
    ];
    let found = back(to_guest(&rows, &[]).unwrap(), &expected).unwrap();
    assert_eq!(found.column(0).as_ref(), &StringArray::from(vec![Some("a"), None, Some("ü")]) as &dyn Array);
    assert_eq!(found.column(1).null_count(), 1);
    assert_eq!(found.column(3).as_ref(), &BooleanArray::from(vec![Some(true), None, Some(false)]) as &dyn Array);
    assert_eq!(found.column(4).null_count(), 3);
}

#[test]
fn slices_start_at_zero_again() {
    let rows = batch(vec![
        ("text", Arc::new(StringArray::from(vec![Some("skipped"), Some("a"), None, Some("bc"), Some("skipped")]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false, true, true, false]))),
    ]);
    let slice = to_guest(&rows.slice(1, 3), &[]).unwrap();
    let data::Column::Utf8(text) = &slice.columns[0].data else { panic!() };
    assert_eq!((text.offsets.as_slice(), text.bytes.as_slice()), (&[0, 1, 1, 3][..], &b"abc"[..]));
    assert_eq!(text.validity.as_deref(), Some(&[0b101][..]));
    let data::Column::Boolean(flag) = &slice.columns[1].data else { panic!() };
    assert_eq!(flag.values[0] & 0b111, 0b110);
}

#[test]
fn other_types_are_refused_by_name() {
    let rows = batch(vec![("when", Arc::new(TimestampSecondArray::from(vec![1])))]);
    assert_eq!(
        to_guest(&rows, &[Expected::new("when", LogicalType::Boolean)]).err().unwrap().to_string(),
        "column `when` has the type Timestamp(s); the plugin takes booleans without nulls"
    );
    let rows = batch(vec![("big", Arc::new(UInt64Array::from(vec![u64::MAX])))]);
    assert!(to_guest(&rows, &[]).err().unwrap().to_string().contains("big"));
    let rows = batch(vec![("text", Arc::new(StringArray::from(vec![Some("1"), None])))]);
    for (ty, error) in [
        (LogicalType::Int64, "column `text` has the type Utf8; the plugin takes integers"),
        (LogicalType::Ipc, "column `text` has the type Utf8; the plugin takes List(Int64)"),
    ] {
        let mut declared = Expected::new("text", ty).nullable();
        declared.arrow_type = (ty == LogicalType::Ipc).then(|| "List(Int64)".parse().unwrap());
        let found = to_guest(&rows, &[declared]).err().unwrap().to_string();
        assert!(found.starts_with(error), "{found}");
    }
    let error = to_guest(&rows, &[Expected::new("text", LogicalType::Utf8)]).err().unwrap().to_string();
    assert_eq!(error, "column `text` has the type Utf8 with 1 nulls; the plugin takes text without nulls");
}

#[test]
fn json_is_checked_for_form_size_and_depth() {
    let json = |document: &str| {
        let column = data::Utf8Column {
            offsets: vec![0, document.len() as u32],
            bytes: document.as_bytes().to_vec(),
            validity: None,
        };
        let columns = vec![data::NamedColumn { name: "j".to_owned(), data: data::Column::Json(column) }];
        back(data::Batch { rows: 1, columns }, &[Expected::new("j", LogicalType::Json)])
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    assert_eq!(json(r#"{"a": [1, "[[[["]}"#), Ok(()));
    assert!(json("{").unwrap_err().contains("at row 0"));
    assert!(json(&"[".repeat(100_000)).unwrap_err().contains("100000 levels (limit 64)"));
    assert!(json(&format!("\"{}\"", "x".repeat(2 << 20))).unwrap_err().contains("(limit 1048576)"));
}

#[test]
fn results_of_queries_keep_their_storage_classes() {
    use SqlValue::{Blob, Integer, Null, Real, Text};
    let rows = Rows {
        columns: ["i", "r", "t", "n", "m"].map(str::to_owned).to_vec(),
        rows: vec![
            vec![Integer(1), Real(1.0), Text("a".to_owned()), Null, Real(2.0)],
            vec![Null, Real(-0.5), Null, Null, Blob(vec![0xab])],
        ],
    };
    let found = from_sql(rows);
    let kinds: Vec<_> = found
        .columns
        .iter()
        .map(|column| match &column.data {
            data::Column::Int64(_) => "int64".to_owned(),
            data::Column::Float64(_) => "float64".to_owned(),
            data::Column::Utf8(column) => format!("utf8 {:?}", column.validity),
            data::Column::Json(column) => String::from_utf8(column.bytes.clone()).unwrap(),
            data::Column::Boolean(_) | data::Column::Ipc(_) => "other".to_owned(),
        })
        .collect();
    assert_eq!(kinds, ["int64", "float64", "utf8 Some([1])", "utf8 Some([0])", r#"2.0{"blob":"ab"}"#]);
}

proptest! {
    /// Whatever buffers a guest returns: an error or a batch, never a panic; and a batch that came
    /// from Arrow comes back equal.
    #[test]
    fn any_buffers_are_an_error_or_a_batch(
        rows in 0u32..20,
        offsets in proptest::collection::vec(0u32..40, 0..22),
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        validity in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)),
    ) {
        let column = data::Utf8Column { offsets, bytes, validity };
        let columns = vec![data::NamedColumn { name: "t".to_owned(), data: data::Column::Utf8(column) }];
        if let Ok(batch) = back(data::Batch { rows, columns }, &[Expected::new("t", LogicalType::Utf8).nullable()]) {
            prop_assert_eq!(batch.num_rows(), rows as usize);
            let _ = texts(&batch, "t");
        }
    }

    #[test]
    fn text_comes_back_equal(values in proptest::collection::vec(proptest::option::of(".{0,8}"), 0..30), skip in 0usize..5) {
        let array = StringArray::from(values);
        let skip = skip.min(array.len());
        let rows = batch(vec![("t", Arc::new(array) as ArrayRef)]);
        let rows = rows.slice(skip, rows.num_rows() - skip);
        let found = back(to_guest(&rows, &[]).unwrap(), &[Expected::new("t", LogicalType::Utf8).nullable()]).unwrap();
        prop_assert_eq!(found.column(0), rows.column(0));
    }
}

/// Every kind of type that Parquet holds, as arrays of three rows with a null.
fn nested() -> Vec<(&'static str, ArrayRef)> {
    use arrow_array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{BinaryArray, Date32Array, Decimal128Array, StructArray, TimestampMicrosecondArray};
    use arrow_schema::{DataType, Field};
    let mut list = ListBuilder::new(Int64Builder::new());
    list.append_value([Some(1), None, Some(3)]);
    list.append(false);
    list.append_value([]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("a");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.append(true).unwrap();
    let inner: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None, Some("z")]));
    let flag: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
    let fields = vec![
        (Arc::new(Field::new("name", DataType::Utf8, true)), inner),
        (Arc::new(Field::new("flag", DataType::Boolean, true)), flag),
    ];
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    dictionary.append("red").unwrap();
    dictionary.append_null();
    dictionary.append("red").unwrap();
    let times = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None, Some(-1)]).with_timezone("UTC");
    let decimals = Decimal128Array::from(vec![Some(12_345), None, Some(-1)]).with_precision_and_scale(10, 2).unwrap();
    vec![
        ("list", Arc::new(list.finish())),
        ("map", Arc::new(map.finish())),
        ("struct", Arc::new(StructArray::from(fields))),
        ("dictionary", Arc::new(dictionary.finish())),
        ("time", Arc::new(times)),
        ("decimal", Arc::new(decimals)),
        ("date", Arc::new(Date32Array::from(vec![Some(1), None, Some(-1)]))),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(b"")]))),
    ]
}

#[test]
fn every_other_type_crosses_as_a_stream_and_comes_back_equal() {
    for (name, array) in nested() {
        let rows = batch(vec![(name, array.clone())]);
        let declared = [Expected::new(name, LogicalType::Ipc).nullable()];
        // A slice, too: its buffers start somewhere.
        for rows in [rows.clone(), rows.slice(1, 2)] {
            let found = back(to_guest(&rows, &declared).unwrap(), &declared).unwrap();
            let expected = ipc::unpacked(rows.column(0)).unwrap();
            assert_eq!(found.column(0), &expected, "{name}");
        }
    }
}

#[test]
fn any_value_can_be_read_as_json() {
    let json = |name: &str| {
        let (_, array) = nested().into_iter().find(|(other, _)| *other == name).unwrap();
        documents::from_array(&array).unwrap().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(json("list"), [Some("[1,null,3]".to_owned()), None, Some("[]".to_owned())]);
    assert_eq!(json("struct")[0].as_deref(), Some(r#"{"name":"x","flag":true}"#));
    assert_eq!(json("dictionary")[2].as_deref(), Some("\"red\""));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["[1]", "not json"]));
    assert!(documents::from_array(&texts).unwrap_err().starts_with("text that is no JSON at row 1"));
}

#[test]
fn hostile_streams_are_refused() {
    let array: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let good = ipc::encode("x", &array).unwrap();
    assert_eq!(&ipc::decode(&good, 3).unwrap(), &array);
    let error = |stream: &[u8], rows: usize| ipc::decode(stream, rows).unwrap_err();
    assert_eq!(error(&good, 4), "3 rows, expected 4");
    assert_eq!(error(&[good.clone(), vec![0]].concat(), 3), "1 bytes after the end of the stream");
    assert_eq!(error(b"", 3), "a truncated stream");
    assert_eq!(error(&[0xff; 64], 3), "a truncated message");
    for cut in 0..good.len() {
        assert!(ipc::decode(&good[..cut], 3).is_err(), "cut at {cut}");
    }
    // Two columns, two batches, a dictionary.
    let two = batch(vec![("a", array.clone()), ("b", array.clone())]);
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), two.schema_ref()).unwrap();
    writer.write(&two).unwrap();
    assert_eq!(error(&writer.into_inner().unwrap(), 3), "a stream of 2 columns");
    let one = batch(vec![("a", array)]);
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), one.schema_ref()).unwrap();
    writer.write(&one).unwrap();
    writer.write(&one).unwrap();
    assert_eq!(error(&writer.into_inner().unwrap(), 3), "a stream of other than one schema and one record batch");
    let (_, dictionary) = nested().into_iter().find(|(name, _)| *name == "dictionary").unwrap();
    assert_eq!(error(&ipc::encode("d", &dictionary).unwrap(), 3), "a dictionary; unpack it");
}

/// Flipped bits in valid streams: an error or a column of the right length, never a panic or an abort.
#[test]
fn flipped_bits_in_streams_are_an_error_or_a_column() {
    let mut state = 11u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for (name, array) in nested() {
        let good = ipc::encode(name, &ipc::unpacked(&array).unwrap()).unwrap();
        for _ in 0..400 {
            let mut flipped = good.clone();
            for _ in 0..=next(3) {
                let at = next(flipped.len());
                flipped[at] ^= 1 << next(8);
            }
            if let Ok(column) = ipc::decode(&flipped, 3) {
                assert_eq!(column.len(), 3, "{name}");
            }
        }
    }
}
