use super::*;

fn parse(text: &str) -> Option<RepoId> {
    RepoId::parse(RepoKind::Model, text)
}

#[test]
fn names_with_and_without_a_revision() {
    let plain = parse("org/name").unwrap();
    assert_eq!((plain.id.as_str(), plain.revision.as_str(), plain.is_pinned), ("org/name", "main", false));
    assert_eq!(plain.to_string(), "org/name");
    let pinned = parse("Org-1/na.me_2@refs/pr/3").unwrap();
    assert_eq!((pinned.id.as_str(), pinned.revision.as_str()), ("Org-1/na.me_2", "refs/pr/3"));
    assert_eq!(pinned.to_string(), "Org-1/na.me_2@refs/pr/3");
}

#[test]
fn names_that_lead_somewhere_else_are_none() {
    let bad = [
        "name",
        "a/b/c",
        "/b",
        "a/",
        "../b",
        "a/..",
        "./b",
        "a/.b",
        "-a/b",
        "a b/c",
        "a/b@",
        "a/b@..",
        "a/b@x/../y",
        "a/b@/x",
        "a/b@x/",
        "a/b@-x",
        "a/b@x y",
        "a/b@x\n",
        "a\\b/c",
    ];
    for text in bad {
        assert_eq!(parse(text), None, "{text:?}");
    }
}
