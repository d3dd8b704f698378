//! A small picture: lines, digits, and the PNG format. Enough for a chart and a logo, without fonts
//! or a drawing library.

use miniz_oxide::deflate::compress_to_vec_zlib;

/// Red, green, blue.
pub type Color = [u8; 3];

/// Pixels to draw on.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Color>,
}

impl Canvas {
    /// A canvas of one color.
    pub fn new(width: usize, height: usize, ground: Color) -> Self {
        Canvas { width, height, pixels: vec![ground; width * height] }
    }

    /// Mix a color in; outside of the canvas nothing happens.
    fn blend(&mut self, x: i64, y: i64, color: Color, coverage: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let Some(pixel) = self.pixels.get_mut(y * self.width + x) else { return };
        for (old, new) in pixel.iter_mut().zip(color) {
            let mixed = f64::from(*old) + (f64::from(new) - f64::from(*old)) * coverage.clamp(0.0, 1.0);
            *old = mixed.round() as u8;
        }
    }

    /// A line with round ends: each pixel is covered by how near its middle lies.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), color: Color, width: f64) {
        let reach = width / 2.0 + 1.0;
        let (x0, x1) = (from.0.min(to.0) - reach, from.0.max(to.0) + reach);
        let (y0, y1) = (from.1.min(to.1) - reach, from.1.max(to.1) + reach);
        for y in (y0.floor() as i64)..=(y1.ceil() as i64) {
            for x in (x0.floor() as i64)..=(x1.ceil() as i64) {
                let distance = distance_to_segment((x as f64, y as f64), from, to);
                self.blend(x, y, color, width / 2.0 + 0.5 - distance);
            }
        }
    }

    /// Text that ends at `x`, its middle at `y`.
    pub fn text_right(&mut self, x: usize, y: usize, text: &str, color: Color) {
        self.text_at(x as i64 - text_width(text), y as i64, text, color);
    }

    /// Text around `x`, its middle at `y`.
    pub fn text_center(&mut self, x: usize, y: usize, text: &str, color: Color) {
        self.text_at(x as i64 - text_width(text) / 2, y as i64, text, color);
    }

    fn text_at(&mut self, x: i64, y: i64, text: &str, color: Color) {
        for (index, character) in text.chars().enumerate() {
            for (row, bits) in glyph(character).into_iter().enumerate() {
                for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                    self.blend(x + index as i64 * ADVANCE + column, y - 3 + row as i64, color, 1.0);
                }
            }
        }
    }

    /// The picture as a PNG file (8 bits, RGB).
    pub fn to_png(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity(self.height * (1 + self.width * 3));
        for row in self.pixels.chunks(self.width.max(1)) {
            raw.push(0); // no filter: large flat areas compress well without
            raw.extend(row.iter().flatten());
        }
        let mut header = Vec::with_capacity(13);
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        header.extend([8, 2, 0, 0, 0]); // bit depth, RGB, deflate, adaptive filters, not interlaced
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut png, b"IHDR", &header);
        chunk(&mut png, b"IDAT", &compress_to_vec_zlib(&raw, 9));
        chunk(&mut png, b"IEND", &[]);
        png
    }
}

fn distance_to_segment(point: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length_squared = dx * dx + dy * dy;
    let along = ((point.0 - from.0) * dx + (point.1 - from.1) * dy) / length_squared.max(1e-12);
    let along = along.clamp(0.0, 1.0);
    (point.0 - from.0 - along * dx).hypot(point.1 - from.1 - along * dy)
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend((data.len() as u32).to_be_bytes());
    let start = png.len();
    png.extend(kind);
    png.extend(data);
    let checksum = crc32(&png[start..]);
    png.extend(checksum.to_be_bytes());
}

/// CRC-32 as in ISO 3309, which PNG prescribes.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

const ADVANCE: i64 = 6;

fn text_width(text: &str) -> i64 {
    text.chars().count() as i64 * ADVANCE - 1
}

/// Five by seven dots, a row per byte: the characters that axes need.
fn glyph(character: char) -> [u8; 7] {
    match character {
        '0' => [0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e],
        '1' => [0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e],
        '2' => [0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f],
        '3' => [0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e],
        '4' => [0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02],
        '5' => [0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e],
        '6' => [0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e],
        '7' => [0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08],
        '8' => [0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e],
        '9' => [0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c],
        '.' => [0, 0, 0, 0, 0, 0x0c, 0x0c],
        '-' => [0, 0, 0, 0x1f, 0, 0, 0],
        'e' => [0, 0, 0x0e, 0x11, 0x1f, 0x10, 0x0e],
        'l' => [0x0c, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e],
        'o' => [0, 0, 0x0e, 0x11, 0x11, 0x11, 0x0e],
        'p' => [0, 0, 0x1e, 0x11, 0x1e, 0x10, 0x10],
        's' => [0, 0, 0x0e, 0x10, 0x0e, 0x01, 0x1e],
        't' => [0x08, 0x08, 0x1c, 0x08, 0x08, 0x09, 0x06],
        _ => [0; 7],
    }
}

#[cfg(test)]
mod tests;
