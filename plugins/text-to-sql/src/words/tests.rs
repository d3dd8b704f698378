use super::{identifier_words, plural, singular};

#[test]
fn identifiers_become_words() {
    for (identifier, words) in [
        ("order_id", "order id"),
        ("custNm", "customer name"),
        ("tbl_ord", "order"),
        ("OrderDate", "order date"),
        ("HTTPStatus", "http status"),
        ("unit price", "unit price"),
        ("t", "t"),
        ("qty2", "qty2"),
        ("line2Total", "line2 total"),
    ] {
        assert_eq!(identifier_words(identifier).join(" "), words, "{identifier}");
    }
}

#[test]
fn plural_and_singular_are_inverse_on_ordinary_nouns() {
    for (one, many) in [
        ("city", "cities"),
        ("box", "boxes"),
        ("church", "churches"),
        ("day", "days"),
        ("order line", "order lines"),
        ("person", "people"),
        ("class", "classes"),
    ] {
        assert_eq!(plural(one), many);
        assert_eq!(singular(many), one);
    }
    assert_eq!(singular("status"), "status");
    assert_eq!(singular("series"), "series");
}
