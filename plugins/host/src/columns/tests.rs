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
    let found = back(to_guest(&rows).unwrap(), &expected).unwrap();
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
    let slice = to_guest(&rows.slice(1, 3)).unwrap();
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
        to_guest(&rows).err().unwrap().to_string(),
        "column `when` has the type Timestamp(s); plugins take text, integers, floats and booleans (nest other values as JSON text)"
    );
    let rows = batch(vec![("big", Arc::new(UInt64Array::from(vec![u64::MAX])))]);
    assert!(to_guest(&rows).err().unwrap().to_string().contains("big"));
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
        let found = back(to_guest(&rows).unwrap(), &[Expected::new("t", LogicalType::Utf8).nullable()]).unwrap();
        prop_assert_eq!(found.column(0), rows.column(0));
    }
}
