//! The broadcast channel: one task owns the XPUB socket, greets new subscribers (JEP 65) and sends
//! everything else in the order in which it was queued.

use jupyter_zmq_client::{SubscriptionEvent, connection::parse_subscription_message};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
use zeromq::{SocketRecv, SocketSend, XPubSocket};

use crate::wire::{Codec, Message};

/// Stream texts are merged up to this size.
const MAX_STREAM_BYTES: usize = 64 << 10;

enum Item {
    Message(Box<Message>),
    Flush(oneshot::Sender<()>),
}

/// A handle to the broadcast channel, for any thread.
#[derive(Clone)]
pub struct IoPub {
    queue: mpsc::UnboundedSender<Item>,
    codec: Codec,
}

impl IoPub {
    pub(crate) fn spawn(socket: XPubSocket, codec: Codec) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        tokio::spawn(publish(socket, codec.clone(), receiver));
        let iopub = IoPub { queue, codec };
        iopub.send(&Map::new(), "status", json!({"execution_state": "starting"}));
        iopub
    }

    /// Queue a message caused by the message with the header `parent`.
    pub fn send(&self, parent: &Map<String, Value>, msg_type: &str, content: Value) {
        let message = self.codec.child(parent, msg_type, content);
        let _ = self.queue.send(Item::Message(Box::new(message)));
    }

    /// `busy` or `idle`.
    pub fn status(&self, parent: &Map<String, Value>, state: &str) {
        self.send(parent, "status", json!({"execution_state": state}));
    }

    /// Resolves once everything queued before is on its way. Callable from any thread.
    pub(crate) fn flushed(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.queue.send(Item::Flush(sender));
        receiver
    }
}

async fn publish(mut socket: XPubSocket, codec: Codec, mut queue: mpsc::UnboundedReceiver<Item>) {
    let mut next = None;
    loop {
        // Subscriptions first: a client that subscribed before a message was queued must get it.
        let item = tokio::select! {
            biased;
            event = socket.recv() => {
                match event.as_ref().map(parse_subscription_message) {
                    Ok(Some(SubscriptionEvent::Subscribe(topic))) => welcome(&mut socket, &codec, topic).await,
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
                }
                continue;
            }
            item = async { match next.take() { Some(item) => Some(item), None => queue.recv().await } } => item,
        };
        match item {
            Some(Item::Message(mut message)) => {
                next = merge_backlog(&mut message, &mut queue);
                let _ = socket.send(codec.encode(&message)).await;
            }
            Some(Item::Flush(done)) => drop(done.send(())),
            None => return,
        }
    }
}

/// Append stream texts that are waiting behind this one and belong to it: a cell that prints ten
/// thousand lines sends a few messages. Returns the first item that does not belong.
fn merge_backlog(message: &mut Message, queue: &mut mpsc::UnboundedReceiver<Item>) -> Option<Item> {
    while message.msg_type() == "stream" && message.text("text").len() < MAX_STREAM_BYTES {
        match queue.try_recv().ok()? {
            Item::Message(later) if continues(message, &later) => {
                if let Some(Value::String(text)) = message.content.get_mut("text") {
                    text.push_str(later.text("text"));
                }
            }
            other => return Some(other),
        }
    }
    None
}

fn continues(message: &Message, later: &Message) -> bool {
    later.msg_type() == "stream"
        && later.text("name") == message.text("name")
        && later.parent_header.get("msg_id") == message.parent_header.get("msg_id")
}

async fn welcome(socket: &mut XPubSocket, codec: &Codec, topic: String) {
    let mut message = codec.child(&Map::new(), "iopub_welcome", json!({"subscription": topic}));
    // A subscriber gets only what its topic is a prefix of.
    message.identities = vec![bytes::Bytes::from(topic)];
    let _ = socket.send(codec.encode(&message)).await;
}

#[cfg(test)]
mod tests;
