//! Messages over any pair of byte streams. A thread reads, so that the caller can wait with a
//! timeout and never cuts a frame in half.

use std::io::{Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use luthier_protocol::{ClientMessage, EngineMessage, frame};

/// What arrived within the time given.
pub(super) enum Arrival {
    Message(EngineMessage),
    Nothing,
    /// The stream ended, or held something that is no message.
    Lost(String),
}

pub(super) struct Transport {
    writer: Box<dyn Write + Send>,
    incoming: Receiver<Result<EngineMessage, String>>,
}

impl Transport {
    pub(super) fn new(mut reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        let (sender, incoming) = mpsc::channel();
        std::thread::spawn(move || {
            loop {
                let arrived = match frame::read(&mut reader) {
                    Ok(Some(message)) => Ok(message),
                    Ok(None) => Err("it closed the connection".to_owned()),
                    Err(error) => Err(error.to_string()),
                };
                let ended = arrived.is_err();
                if sender.send(arrived).is_err() || ended {
                    return;
                }
            }
        });
        Transport { writer: Box::new(writer), incoming }
    }

    pub(super) fn send(&mut self, message: &ClientMessage) -> Result<(), frame::FrameError> {
        frame::write(&mut self.writer, message)
    }

    pub(super) fn receive(&mut self, timeout: Duration) -> Arrival {
        match self.incoming.recv_timeout(timeout) {
            Ok(Ok(message)) => Arrival::Message(message),
            Ok(Err(cause)) => Arrival::Lost(cause),
            Err(RecvTimeoutError::Timeout) => Arrival::Nothing,
            Err(RecvTimeoutError::Disconnected) => Arrival::Lost("the connection was lost before".to_owned()),
        }
    }
}
