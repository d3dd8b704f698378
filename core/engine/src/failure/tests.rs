use super::*;
use crate::error::AtExt;

fn failure(error: Error) -> Failure {
    error.into()
}

#[test]
fn the_nearest_name_is_suggested_else_all_are_listed() {
    let known = || vec!["pico".to_owned(), "shop-sql".to_owned()];
    let near = failure(Error::unknown("model", "pcio", known()));
    assert_eq!(near.kind, FailureKind::NotFound);
    assert_eq!(near.hint.unwrap(), "did you mean \"pico\"?");
    let far = failure(Error::unknown("model", "zzz", known()));
    assert_eq!(far.hint.unwrap(), "known: \"pico\", \"shop-sql\"");
    let none = failure(Error::unknown("dataset", "x", Vec::new()));
    assert_eq!(none.hint.unwrap(), "there is no dataset yet");
}

#[test]
fn the_innermost_pointer_wins_and_training_settings_name_their_own() {
    let inner: Result<(), Error> = Err(Error::invalid("x", 1, "2"));
    let outer = inner.at("/lora/r").at("/model");
    assert_eq!(failure(outer.unwrap_err()).location.unwrap().pointer, "/lora/r");

    let setting = luthier_train::Error::InvalidConfig { key: "epochs", expected: "more", found: "0".into() };
    let failure = failure(Error::from(setting).at("/train"));
    assert_eq!(failure.location.unwrap().pointer, "/train/epochs");
    assert_eq!(failure.kind, FailureKind::InvalidRequest);
}

#[test]
fn a_full_disk_says_so() {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let failure = failure(Error::io("write", std::path::Path::new("/x"), source));
    assert_eq!(failure.kind, FailureKind::Storage);
    assert!(failure.hint.unwrap().contains("full"));
}
