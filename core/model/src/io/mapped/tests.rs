use super::*;
use std::io::Write;

fn file(bytes: &[u8]) -> Arc<Mmap> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    // SAFETY: nobody else knows the file.
    Arc::new(unsafe { Mmap::map(&file) }.unwrap())
}

#[test]
fn aligned_floats_are_read_where_they_are() {
    let values = [1.5f32, -2.0, 0.25, 7.0];
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let file = file(&bytes);
    let mapped = Mapped::of_file(&file, &file[4..12], 0).unwrap();
    assert_eq!(mapped.as_slice(), &values[1..3]);
    assert_eq!(mapped.as_slice().as_ptr().cast(), file[4..].as_ptr());
    assert_eq!(mapped.clone(), mapped);
}

#[test]
fn what_cannot_be_used_in_place_is_not() {
    let file = file(&[0; 32]);
    assert!(Mapped::of_file(&file, &file[1..5], 0).is_none(), "not aligned");
    assert!(Mapped::of_file(&file, &file[0..6], 0).is_none(), "not whole floats");
    assert!(Mapped::of_file(&file, &[0; 8], 0).is_none(), "not of this file");
    assert!(Mapped::of(&file, &file[0..8]).is_none(), "small");
}
