use super::*;

#[test]
fn text_is_aligned_and_html_is_escaped() {
    let table = Table::new(["question", "sql"])
        .caption("shop")
        .row(["how many?", "SELECT count(*) FROM t WHERE a < 3"])
        .row(["é", "x\ny"])
        .note("2 rows");
    insta::assert_snapshot!(table.text(), @r"
    shop
    question   sql
    ─────────  ──────────────────────────────────
    how many?  SELECT count(*) FROM t WHERE a < 3
    é          x⏎y
    2 rows
    ");
    assert!(table.html().contains("<td>SELECT count(*) FROM t WHERE a &lt; 3</td>"), "{}", table.html());
    assert!(table.html().contains("<td>x<br>y</td>"));
}

#[test]
fn long_cells_are_cut_in_text_only() {
    let long = "x".repeat(200);
    let table = Table::new(["a"]).row([long.clone()]);
    assert!(table.text().lines().all(|line| line.chars().count() <= 60));
    assert!(table.html().contains(&long));
}
