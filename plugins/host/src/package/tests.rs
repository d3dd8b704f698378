use super::*;
use crate::limits::Limits;

const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn read_error(bytes: &[u8]) -> String {
    read(bytes, &Limits::default()).unwrap_err().to_string()
}

#[test]
fn a_signature_is_that_of_the_bytes_before_it() {
    let packed =
        sections::package(EMPTY, r#"{"license":"MIT","authors":["A\u001b[31m"]}"#, None, Some("# hi")).unwrap();
    let key = new_key().unwrap();
    let signed = sign(&packed, &key).unwrap();
    let package = read(&signed, &Limits::default()).unwrap();
    assert_eq!((package.license.as_str(), package.authors[0].as_str(), package.readme.as_str()), ("MIT", "A", "# hi"));
    assert_eq!(package.signed_by.as_ref().map(String::len), Some(64));
    // Signing again replaces the signature.
    assert_eq!(sign(&signed, &key).unwrap(), signed);

    let mut changed = signed.clone();
    changed[20] ^= 1;
    assert_eq!(read_error(&changed), "signature: the signature is not that of these bytes");
    let followed = sections::append(&signed, "name", b"x");
    assert_eq!(
        read_error(&followed),
        "signature: something follows the signature, which signs only what comes before it"
    );
    let garbage = sections::append(EMPTY, sections::SIGNATURE, b"{}");
    assert!(read_error(&garbage).starts_with("signature: an unreadable signature"));
    assert!(read(EMPTY, &Limits::default()).unwrap().signed_by.is_none());
}

#[test]
fn bombs_of_sections_and_cases_are_refused() {
    let many = (0..300).fold(EMPTY.to_vec(), |bytes, _| sections::append(&bytes, "x", b""));
    assert_eq!(read_error(&many), "package: 300 custom sections (limit 256)");
    let cases = "{}\n".repeat(1_001);
    let many = sections::append(EMPTY, sections::GOLDEN, cases.as_bytes());
    assert_eq!(read_error(&many), "package: more than 1000 golden cases");
    let deep = sections::append(EMPTY, sections::GOLDEN, "[".repeat(100_000).as_bytes());
    assert_eq!(read_error(&deep), "package: golden case in line 1: 100000 levels (limit 64)");
}
