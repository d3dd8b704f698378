use super::{Query, identifier, is_keyword, skeleton};

#[test]
fn keywords_are_sorted_so_that_the_search_finds_them() {
    assert!(super::KEYWORDS.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(is_keyword("Order") && is_keyword("group") && !is_keyword("orders"));
}

#[test]
fn names_are_quoted_only_where_they_must_be() {
    assert_eq!(identifier("px_ct"), "px_ct");
    assert_eq!(identifier("order"), "\"order\"");
    assert_eq!(identifier("unit price"), "\"unit price\"");
    assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    assert_eq!(identifier("2nd"), "\"2nd\"");
}

#[test]
fn a_query_is_written_in_one_style() {
    let query = Query {
        distinct: true,
        select: vec!["a.x".to_owned(), "COUNT(*)".to_owned()],
        from: "a".to_owned(),
        joins: vec![("b".to_owned(), "a.b = b.id".to_owned())],
        filters: vec!["a.x > 1".to_owned(), "b.y = 'z'".to_owned()],
        group_by: Some("a.x".to_owned()),
        having: Some("COUNT(*) > 2".to_owned()),
        order_by: Some("COUNT(*) DESC".to_owned()),
        limit: Some(3),
    };
    let expected = "SELECT DISTINCT a.x, COUNT(*) FROM a JOIN b ON a.b = b.id WHERE a.x > 1 AND b.y = 'z' \
                    GROUP BY a.x HAVING COUNT(*) > 2 ORDER BY COUNT(*) DESC LIMIT 3";
    assert_eq!(query.to_string(), expected);
}

#[test]
fn a_skeleton_has_neither_names_nor_values() {
    assert_eq!(
        skeleton("SELECT nm FROM cst WHERE town = 'Saint-Jean; d''Or' LIMIT 5;"),
        "SELECT _ FROM _ WHERE _ = ? LIMIT ?"
    );
    assert_eq!(skeleton("select SUM(sal.qty * sal.px_ct)/100.0 from \"sal\""), "SELECT SUM ( _ * _ ) / ? FROM _");
    assert_eq!(
        skeleton("SELECT a FROM b WHERE c IN (1, 2) AND d <> 'x'"),
        "SELECT _ FROM _ WHERE _ IN ( ? , ? ) AND _ <> ?"
    );
}

#[test]
fn spacing_and_case_do_not_change_a_skeleton() {
    assert_eq!(skeleton("SELECT  x\nFROM y WHERE z>=3"), skeleton("select a from b where c >= 77.5"));
}
