use super::skeleton;

#[test]
fn names_numbers_and_texts_are_no_part_of_a_shape() {
    let one = "def f(ages):\n    \"\"\"Doc: for x in y.\"\"\"\n    return sum(x * x for x in ages if x % 2 == 0)\n";
    let other = "def g(w):\n    return sum(y*y for y in w if y%11==7)";
    assert_eq!(skeleton(one), "return sum ( _ * _ for _ in _ if _ % ? == ? )");
    assert_eq!(skeleton(one), skeleton(other));
    assert_ne!(skeleton(one), skeleton("def f(w):\n    return max(y * y for y in w if y % 2 == 0)"));
    assert_eq!(skeleton("def f(r):\n    return r[\"a\"] >= -1.5"), "return _ [ \"\" ] >= - ?");
}

#[test]
fn any_text_has_a_shape() {
    assert_eq!(skeleton(""), "");
    assert_eq!(skeleton("def f():\n    \"\"\"never closed"), "");
    assert_eq!(skeleton("é = 'offen"), "_ = \"\"");
}
