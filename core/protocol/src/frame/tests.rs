use super::*;
use crate::{ClientBody, ClientMessage, Request};

fn message() -> ClientMessage {
    ClientMessage { id: 7, body: ClientBody::Request { project_dir: "/tmp".into(), request: Request::Device } }
}

/// Hands out one byte at a time, as a slow pipe does.
struct Drip<'a>(&'a [u8]);
impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = into.len().min(1).min(self.0.len());
        into[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn survives_a_stream_that_delivers_single_bytes() {
    let mut wire = Vec::new();
    write(&mut wire, &message()).unwrap();
    write(&mut wire, &message()).unwrap();
    let mut drip = Drip(&wire);
    assert_eq!(read::<ClientMessage>(&mut drip).unwrap(), Some(message()));
    assert_eq!(read::<ClientMessage>(&mut drip).unwrap(), Some(message()));
    assert_eq!(read::<ClientMessage>(&mut drip).unwrap(), None);
}

#[test]
fn refuses_hostile_lengths_and_truncation() {
    let huge = u32::MAX.to_le_bytes();
    assert!(matches!(read::<ClientMessage>(&mut huge.as_slice()), Err(FrameError::TooLarge { .. })));
    let mut wire = Vec::new();
    write(&mut wire, &message()).unwrap();
    for cut in 1..wire.len() {
        assert!(matches!(read::<ClientMessage>(&mut &wire[..cut]), Err(FrameError::Io(_))), "cut at {cut}");
    }
    let mut garbage = 3u32.to_le_bytes().to_vec();
    garbage.extend_from_slice(b"{]}");
    assert!(matches!(read::<ClientMessage>(&mut garbage.as_slice()), Err(FrameError::Json(_))));
}
