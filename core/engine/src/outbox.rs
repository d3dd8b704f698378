//! Messages on their way to one client. A thread of its own writes them, so that a client that does
//! not read never stops a run.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use luthier_protocol::frame::{self, FrameError};
use luthier_protocol::{EngineBody, EngineMessage, Failure, FailureKind};

/// Events that wait for a slow client beyond this are dropped; results never are.
pub(crate) const MAX_WAITING_EVENTS: usize = 4096;

/// Messages that were sent and are not written yet, over all clients: the engine does not end
/// before its last answer is out.
pub(crate) type Unwritten = Arc<AtomicUsize>;

/// The sending end. Cheap to clone; the connection's writer ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    messages: Sender<EngineMessage>,
    unwritten: Unwritten,
}

impl Outbox {
    /// An outbox and its receiving end, for [`write_all`] or a test.
    pub(crate) fn new(unwritten: Unwritten) -> (Outbox, Receiver<EngineMessage>) {
        let (messages, inbox) = unbounded();
        (Outbox { messages, unwritten }, inbox)
    }

    /// Queue a message. Events are dropped when too much waits.
    pub(crate) fn send(&self, id: u64, body: EngineBody) {
        let droppable = matches!(body, EngineBody::Event { .. });
        if droppable && self.messages.len() >= MAX_WAITING_EVENTS {
            return;
        }
        self.unwritten.fetch_add(1, Ordering::SeqCst);
        if self.messages.send(EngineMessage { id, body }).is_err() {
            self.unwritten.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Write until nobody can send any more. Once the client is gone, messages are for nobody.
pub(crate) fn write_all(mut writer: impl Write, inbox: &Receiver<EngineMessage>, unwritten: &Unwritten) {
    let mut gone = false;
    for message in inbox {
        gone = gone || write_one(&mut writer, &message).is_err();
        unwritten.fetch_sub(1, Ordering::SeqCst);
    }
}

fn write_one(writer: &mut impl Write, message: &EngineMessage) -> Result<(), FrameError> {
    match frame::write(writer, message) {
        Err(FrameError::TooLarge { announced }) => frame::write(writer, &too_large(message.id, announced)),
        written => written,
    }
}

fn too_large(id: u64, n_bytes: usize) -> EngineMessage {
    let text = format!("the answer has {n_bytes} bytes, a frame holds {}", frame::MAX_FRAME_BYTES);
    let failure = Failure::new(FailureKind::Internal, text).hint("ask for fewer rows");
    EngineMessage { id, body: EngineBody::Error { failure } }
}
