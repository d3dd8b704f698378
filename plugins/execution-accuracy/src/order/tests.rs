use super::*;

#[test]
fn only_the_querys_own_order_counts() {
    for sql in [
        "SELECT a FROM t ORDER BY a",
        "select a from t order\n  by a limit 3",
        "SELECT a FROM t ORDER /* really */ BY a",
        "SELECT a FROM t UNION SELECT b FROM u ORDER BY 1;",
        "WITH x AS (SELECT 1) SELECT * FROM x ORDER BY 1",
        "SELECT ')' FROM t ORDER BY a",
    ] {
        assert!(has_top_level_order_by(sql), "{sql}");
    }
}

#[test]
fn nested_quoted_and_commented_orders_do_not() {
    for sql in [
        "SELECT a FROM (SELECT a FROM t ORDER BY a)",
        "SELECT rank() OVER (ORDER BY a) FROM t",
        "SELECT 'ORDER BY a' FROM t",
        "SELECT \"order by\" FROM t",
        "SELECT a FROM t -- ORDER BY a",
        "SELECT a FROM t /* ORDER BY a */",
        "SELECT a FROM [ORDER BY]",
        "SELECT a AS reorder, by_ FROM t",
        "SELECT \"order\", by FROM t",
        "SELECT 'unclosed ORDER BY",
        "",
    ] {
        assert!(!has_top_level_order_by(sql), "{sql}");
    }
}
