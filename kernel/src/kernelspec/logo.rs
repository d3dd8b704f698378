//! The kernel's logo: the soundboard of a violin, reduced to its two sound holes and strings.

use crate::display::png::Canvas;

/// A square picture of this many pixels.
pub(super) fn png(size: usize) -> Vec<u8> {
    const WOOD: [u8; 3] = [180, 83, 9];
    const DARK: [u8; 3] = [69, 26, 3];
    const STRING: [u8; 3] = [254, 243, 199];
    let mut canvas = Canvas::new(size, size, WOOD);
    let unit = size as f64 / 32.0;
    let mut line = |from: (f64, f64), to: (f64, f64), color, width: f64| {
        canvas.line((from.0 * unit, from.1 * unit), (to.0 * unit, to.1 * unit), color, width * unit);
    };
    for side in [-1.0, 1.0] {
        let x = |offset: f64| 15.5 + side * offset;
        line((x(7.0), 8.0), (x(10.0), 13.0), DARK, 1.8);
        line((x(10.0), 13.0), (x(8.0), 19.0), DARK, 2.4);
        line((x(8.0), 19.0), (x(11.0), 24.0), DARK, 1.8);
    }
    for offset in [-3.0, -1.0, 1.0, 3.0] {
        line((15.5 + offset, 0.0), (15.5 + offset, 27.0), STRING, 0.6);
    }
    line((10.5, 22.0), (20.5, 22.0), DARK, 2.2);
    canvas.to_png()
}
