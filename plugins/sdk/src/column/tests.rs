use super::*;

#[test]
fn text_comes_back_with_its_nulls() {
    let rows = [Some("a"), None, Some(""), Some("über")];
    let column: Utf8Column = rows.into_iter().collect();
    assert_eq!(column.offsets, [0, 1, 1, 1, 6]);
    assert_eq!(column.validity.as_deref(), Some(&[0b1101][..]));
    assert_eq!(column.iter().collect::<Vec<_>>(), rows);
    assert_eq!(column.get(4), None);
}

#[test]
fn no_nulls_means_no_bitmap() {
    assert_eq!(Utf8Column::from_texts(["a", "b"]).validity, None);
    assert_eq!([Some(1.5), Some(2.0)].into_iter().collect::<Float64Column>().validity, None);
}

#[test]
fn booleans_are_bits() {
    let rows: Vec<_> = (0..11).map(|i| (i != 9).then_some(i % 3 == 0)).collect();
    let column: BooleanColumn = rows.iter().copied().collect();
    assert_eq!(column.bits.len(), 2);
    assert_eq!((0..11).map(|i| column.get(i)).collect::<Vec<_>>(), rows);
    assert_eq!(column.get(11), None);
}

#[test]
fn a_wrong_type_is_named() {
    let column = Column::Int64([Some(1)].into_iter().collect());
    assert_eq!(
        column.as_utf8("prediction").unwrap_err().to_string(),
        "columns do not match: column `prediction` should be utf8, found int64"
    );
}
