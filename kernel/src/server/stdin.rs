//! The stdin channel: questions to the client that sent the running cell.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use serde_json::json;
use tokio::sync::mpsc;

use super::{Replies, Reply};
use crate::wire::{Codec, Message};

/// How often a wait looks whether the cell was interrupted.
const POLL: Duration = Duration::from_millis(50);

type Waiting = Arc<Mutex<BTreeMap<String, Sender<String>>>>;

/// Asks questions, from any thread.
#[derive(Clone)]
pub(crate) struct StdIn {
    requests: Replies,
    codec: Codec,
    waiting: Waiting,
}

impl StdIn {
    /// Questions go out through `requests`, answers come in through `replies`.
    pub(crate) fn spawn(codec: Codec, requests: Replies, mut replies: mpsc::UnboundedReceiver<Message>) -> Self {
        let waiting = Waiting::default();
        let deliver = waiting.clone();
        tokio::spawn(async move {
            while let Some(message) = replies.recv().await {
                if message.msg_type() == "input_reply" {
                    deliver_to(&deliver, &message);
                }
            }
        });
        StdIn { requests, codec, waiting }
    }

    /// Ask the client of `parent` for a line, and wait until it answers or the cell is interrupted.
    pub(crate) fn ask(
        &self,
        parent: &Message,
        prompt: &str,
        password: bool,
        cancelled: &AtomicBool,
    ) -> Result<String, String> {
        let question = self.codec.reply(parent, "input_request", json!({"prompt": prompt, "password": password}));
        let id = msg_id(&question.header);
        let (sender, receiver) = channel();
        self.lock().insert(id.clone(), sender);
        let _ = self.requests.send(Reply { message: question, sent: None });
        let answer = loop {
            if cancelled.load(Ordering::SeqCst) {
                break Err("interrupted while waiting for input".to_owned());
            }
            match receiver.recv_timeout(POLL) {
                Ok(line) => break Ok(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Err("the kernel is ending".to_owned()),
            }
        };
        self.lock().remove(&id);
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Sender<String>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn msg_id(header: &serde_json::Map<String, serde_json::Value>) -> String {
    header.get("msg_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned()
}

/// To the question that the reply names; clients that name none mean the only one there is.
fn deliver_to(waiting: &Waiting, reply: &Message) {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let named = waiting.get(&msg_id(&reply.parent_header));
    let sender = named.or_else(|| waiting.values().next().filter(|_| waiting.len() == 1));
    if let Some(sender) = sender {
        let _ = sender.send(reply.text("value").to_owned());
    }
}
