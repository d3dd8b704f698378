use super::*;

const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn a_package_is_read_back_and_rewritten() {
    let long = "x".repeat(70_000);
    let packed = package(EMPTY, "{\"license\":\"MIT\"}", Some(&long), Some("# read me")).unwrap();
    let found = read(&packed).unwrap();
    let names: Vec<_> = found.iter().map(|section| section.name).collect();
    assert_eq!(names, [ABOUT, GOLDEN, README]);
    assert_eq!(found[1].content, long.as_bytes());
    let again = package(&packed, "{}", None, None).unwrap();
    assert_eq!(read(&again).unwrap().len(), 1);
    assert_eq!(strip(&again).unwrap(), EMPTY);
}

#[test]
fn sections_of_others_stay() {
    let bytes = append(&append(EMPTY, "name", b"a"), README, b"b");
    assert_eq!(strip(&bytes).unwrap(), append(EMPTY, "name", b"a"));
}

#[test]
fn damaged_bytes_are_refused() {
    assert!(read(b"").is_err() && read(b"#!/bin/sh").is_err());
    let good = append(EMPTY, README, &[b'r'; 300]);
    for cut in EMPTY.len() + 1..good.len() {
        assert!(read(&good[..cut]).is_err(), "cut at {cut}");
    }
    // A size that reaches past the end, and one that does not end.
    assert!(read(b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\x0f").is_err());
    assert!(read(b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff\xff").is_err());
}
