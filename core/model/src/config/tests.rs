#[test]
fn placeholder_removed_soon() {}
