use miniz_oxide::inflate::decompress_to_vec_zlib;

use super::{Canvas, crc32};

#[test]
fn checksums_are_crc_32() {
    // The check value of the catalogue of CRC algorithms.
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn a_file_holds_the_pixels_that_were_drawn() {
    let mut canvas = Canvas::new(9, 5, [255, 255, 255]);
    canvas.line((0.0, 2.0), (8.0, 2.0), [0, 0, 0], 1.0);
    let png = canvas.to_png();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let at = png.windows(4).position(|window| window == b"IDAT").unwrap();
    let length = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
    let raw = decompress_to_vec_zlib(&png[at + 4..at + 4 + length]).unwrap();
    assert_eq!(raw.len(), 5 * (1 + 9 * 3));
    let row = |y: usize| &raw[y * 28 + 1..(y + 1) * 28];
    assert!(row(2).iter().all(|value| *value == 0));
    assert!(row(0).iter().all(|value| *value == 255));
}

#[test]
fn drawing_outside_changes_nothing() {
    let mut canvas = Canvas::new(4, 4, [9, 9, 9]);
    canvas.line((-50.0, -50.0), (-10.0, -10.0), [0, 0, 0], 3.0);
    canvas.text_right(2, 100, "0123456789.-e", [0, 0, 0]);
    assert!(canvas.pixels.iter().all(|pixel| *pixel == [9, 9, 9]));
}
