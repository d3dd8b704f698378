use super::*;

#[test]
fn names_are_single_path_components() {
    for good in ["shop", "shop-sql", "v1.2_x", "Ü1"] {
        check_name("dataset", good).unwrap();
    }
    for bad in ["", ".", "..", "a/b", "../x", "-x", ".x", "a b", "a\0", &"x".repeat(101)] {
        assert!(check_name("dataset", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn looking_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let project = Project::open(dir.path()).unwrap();
    assert!(project.store_if_any().unwrap().is_none());
    assert!(!project.dir().exists());
}

#[test]
fn a_project_must_be_an_absolute_directory() {
    assert!(Project::open(Path::new("relative")).is_err());
    assert!(Project::open(Path::new("/no/such/dir")).is_err());
}
