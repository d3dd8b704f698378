//! Framing: a little-endian `u32` length, then that many bytes of JSON. Works over any byte
//! stream (unix socket, standard input and output, `ssh`).

use std::io::{Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// No frame is larger; rows and tensors travel as files.
pub const MAX_FRAME_BYTES: usize = 32 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The peer announced more than [`MAX_FRAME_BYTES`].
    #[error("a frame of {announced} bytes was announced, at most {MAX_FRAME_BYTES} are accepted")]
    TooLarge {
        /// Bytes announced.
        announced: usize,
    },
    /// The bytes are not the JSON that was expected.
    #[error("a frame did not hold the expected message: {0}")]
    Json(#[from] serde_json::Error),
}

/// Write one frame and flush.
pub fn write<T: Serialize>(stream: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let body = serde_json::to_vec(message)?;
    if body.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge { announced: body.len() });
    }
    // One write per frame: two threads that share a locked stream never interleave halves.
    let mut bytes = Vec::with_capacity(body.len() + 4);
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&body);
    stream.write_all(&bytes)?;
    stream.flush()?;
    Ok(())
}

/// Read one frame. `None` when the peer closed the stream between two frames.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0u8; 4];
    let mut filled = 0;
    while filled < 4 {
        match stream.read(&mut length[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let announced = u32::from_le_bytes(length) as usize;
    if announced > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge { announced });
    }
    // Grow with what arrives: a hostile length must not reserve 32 MiB for four bytes.
    let mut body = Vec::with_capacity(announced.min(64 << 10));
    let read = stream.take(announced as u64).read_to_end(&mut body)?;
    if read < announced {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests;
