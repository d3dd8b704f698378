//! TensorBoard's event files: records of a length, its checksum, a protocol buffer, its checksum.
//!
//! ```text
//! u64 length | u32 masked crc32c(length) | bytes | u32 masked crc32c(bytes)       little-endian
//! bytes = tensorflow.Event { wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7 }
//! ```
//!
//! Field numbers are those of tensorflow's `event.proto` and `summary.proto`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use luthier_protocol::Event;

use super::{Watcher, scalars};
use crate::store::RunStatus;

/// A file is flushed after so many events at the latest: TensorBoard reads while we write.
const FLUSH_EVERY: usize = 20;

/// One run's file.
#[derive(Debug)]
pub(super) struct EventFile {
    out: BufWriter<File>,
    n_unflushed: usize,
}

impl EventFile {
    /// A new file in `dir`, which is made. A resumed run writes another one beside the first.
    pub(super) fn create(dir: &Path, unix_ms: u64) -> Result<EventFile, String> {
        let fail = |error: std::io::Error| format!("{}: {error}", dir.display());
        std::fs::create_dir_all(dir).map_err(fail)?;
        let name = format!("events.out.tfevents.{:010}.luthier.{}", unix_ms / 1000, std::process::id());
        let file = (0..100)
            .map(|n| File::create_new(dir.join(format!("{name}.{n}"))))
            .find(|made| !matches!(made, Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists));
        let file = file.ok_or_else(|| format!("{}: too many event files", dir.display()))?.map_err(fail)?;
        let mut file = EventFile { out: BufWriter::new(file), n_unflushed: 0 };
        let version = Message::event(unix_ms, 0).bytes(3, b"brain.Event:2");
        file.record(&version.0).map_err(fail)?;
        Ok(file)
    }

    fn record(&mut self, data: &[u8]) -> std::io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        self.out.write_all(&length)?;
        self.out.write_all(&masked_crc32c(&length).to_le_bytes())?;
        self.out.write_all(data)?;
        self.out.write_all(&masked_crc32c(data).to_le_bytes())?;
        self.n_unflushed += 1;
        if self.n_unflushed >= FLUSH_EVERY {
            self.n_unflushed = 0;
            self.out.flush()?;
        }
        Ok(())
    }
}

impl Watcher for EventFile {
    fn event(&mut self, event: &Event, unix_ms: u64) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        if let Event::RunStarted { resumed_from: Some(step), .. } = event {
            // SessionLog { status = 1 (START) }: what an earlier file says of later steps is void.
            let log = Message::default().varint(1, 1);
            return self.record(&Message::event(unix_ms, step + 1).bytes(7, &log.0).0).map_err(text);
        }
        let Some((step, values)) = scalars(event) else { return Ok(()) };
        let mut summary = Message::default();
        for (tag, value) in values {
            // SummaryMetadata { plugin_data = 1 { plugin_name = 1 } }
            let plugin = Message::default().bytes(1, b"scalars");
            let metadata = Message::default().bytes(1, &plugin.0);
            let value = Message::default().bytes(1, tag.as_bytes()).float(2, value as f32).bytes(9, &metadata.0);
            summary = summary.bytes(1, &value.0);
        }
        self.record(&Message::event(unix_ms, step).bytes(5, &summary.0).0).map_err(text)
    }

    fn end(&mut self, _: RunStatus, _: u64) -> Result<(), String> {
        self.out.flush().map_err(|error| error.to_string())
    }

    fn name(&self) -> &'static str {
        "TensorBoard"
    }
}

/// A protocol buffer, written field by field.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// An event's time and step.
    fn event(unix_ms: u64, step: u64) -> Message {
        let mut message = Message::default().tag(1, 1);
        message.0.extend_from_slice(&(unix_ms as f64 / 1000.0).to_le_bytes());
        message.varint(2, step)
    }

    fn tag(self, field: u64, wire_type: u64) -> Message {
        self.raw_varint(field << 3 | wire_type)
    }

    fn raw_varint(mut self, mut value: u64) -> Message {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn varint(self, field: u64, value: u64) -> Message {
        self.tag(field, 0).raw_varint(value)
    }

    fn float(self, field: u64, value: f32) -> Message {
        let mut message = self.tag(field, 5);
        message.0.extend_from_slice(&value.to_le_bytes());
        message
    }

    fn bytes(self, field: u64, bytes: &[u8]) -> Message {
        let mut message = self.tag(field, 2).raw_varint(bytes.len() as u64);
        message.0.extend_from_slice(bytes);
        message
    }
}

/// Rotated and shifted, as TFRecord stores it.
fn masked_crc32c(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli, reversed polynomial 0x82F63B78), bit by bit: records are short.
fn crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 })
    };
    !data.iter().fold(!0, step)
}

#[cfg(test)]
mod tests;
