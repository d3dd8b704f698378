//! Jupyter's wire protocol: multipart messages, signed over four frames, with headers kept as raw
//! JSON so that a field this version does not know (`subshell_id`) comes back in the parent header.
//!
//! Must not know: cells, commands, the engine. A message that cannot be read is an error value,
//! never a panic: whatever a client sends, the kernel goes on.
//!
//! ```text
//! identities… | <IDS|MSG> | hex HMAC-SHA256(header ‖ parent ‖ metadata ‖ content) | header | parent | metadata | content | buffers…
//! ```

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ring::hmac;
use serde_json::{Map, Value, json};
use zeromq::ZmqMessage;

pub mod clock;

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// The version of the messaging protocol spoken here.
pub const PROTOCOL_VERSION: &str = "5.4";

/// One message, on any channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// ZeroMQ routing frames; a reply carries those of its request. On IOPub: the topic.
    pub identities: Vec<Bytes>,
    /// `msg_id`, `msg_type`, `session`, … and whatever else the sender put there.
    pub header: Map<String, Value>,
    /// Header of the message that caused this one; empty if none did.
    pub parent_header: Map<String, Value>,
    /// Free-form.
    pub metadata: Map<String, Value>,
    /// The payload; an object.
    pub content: Value,
    /// Binary attachments, not signed.
    pub buffers: Vec<Bytes>,
}

impl Message {
    /// The header's `msg_type`.
    pub fn msg_type(&self) -> &str {
        self.header.get("msg_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// A string of the content, or the empty string.
    pub fn text(&self, key: &str) -> &str {
        self.content.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A flag of the content, or the default.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.content.get(key).and_then(Value::as_bool).unwrap_or(default)
    }
}

/// Why a multipart message is not a Jupyter message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// No `<IDS|MSG>` frame.
    #[error("a message without the <IDS|MSG> delimiter arrived")]
    NoDelimiter,
    /// Fewer than signature and four JSON frames.
    #[error("a message with {found} frames after the delimiter arrived, expected at least 5")]
    TooFewFrames {
        /// Frames after the delimiter.
        found: usize,
    },
    /// The signature does not fit the connection's key.
    #[error("a message with a wrong signature arrived and was dropped")]
    BadSignature,
    /// A frame is not a JSON object.
    #[error("the {frame} of a message is not a JSON object")]
    NotAnObject {
        /// Which frame.
        frame: &'static str,
    },
}

/// Reads, signs and writes messages of one session.
#[derive(Clone)]
pub struct Codec {
    key: Option<hmac::Key>,
    session: String,
}

impl Codec {
    /// A codec for a connection file's key; an empty key switches signing off.
    pub fn new(key: &str, session: &str) -> Self {
        let key = (!key.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
        Codec { key, session: session.to_owned() }
    }

    /// Check and read one multipart message.
    pub fn decode(&self, multipart: ZmqMessage) -> Result<Message, WireError> {
        let mut frames = multipart.into_vec();
        let delimiter = frames.iter().position(|frame| &frame[..] == DELIMITER).ok_or(WireError::NoDelimiter)?;
        let rest = frames.split_off(delimiter + 1);
        frames.truncate(delimiter);
        let [signature, header, parent, metadata, content, buffers @ ..] = rest.as_slice() else {
            return Err(WireError::TooFewFrames { found: rest.len() });
        };
        self.verify(signature, &[header, parent, metadata, content])?;
        Ok(Message {
            identities: frames,
            header: object(header, "header")?,
            parent_header: object(parent, "parent header").unwrap_or_default(),
            metadata: object(metadata, "metadata").unwrap_or_default(),
            content: Value::Object(object(content, "content")?),
            buffers: buffers.to_vec(),
        })
    }

    /// Sign and lay out one message.
    pub fn encode(&self, message: &Message) -> ZmqMessage {
        let parts = [
            json_bytes(&message.header),
            json_bytes(&message.parent_header),
            json_bytes(&message.metadata),
            json_bytes(&message.content),
        ];
        let mut multipart = ZmqMessage::from(self.sign(&parts).into_bytes());
        multipart.push_front(Bytes::from_static(DELIMITER));
        for identity in message.identities.iter().rev() {
            multipart.push_front(identity.clone());
        }
        for part in parts.into_iter().chain(message.buffers.iter().cloned()) {
            multipart.push_back(part);
        }
        multipart
    }

    /// An answer to `request`, on the channel it came from.
    pub fn reply(&self, request: &Message, msg_type: &str, content: Value) -> Message {
        Message { identities: request.identities.clone(), ..self.child(&request.header, msg_type, content) }
    }

    /// A message for IOPub, caused by the message with the header `parent`.
    pub fn child(&self, parent: &Map<String, Value>, msg_type: &str, content: Value) -> Message {
        Message {
            identities: vec![Bytes::from(format!("kernel.{}.{msg_type}", self.session))],
            header: self.header(msg_type),
            parent_header: parent.clone(),
            metadata: Map::new(),
            content,
            buffers: Vec::new(),
        }
    }

    fn header(&self, msg_type: &str) -> Map<String, Value> {
        let header = json!({
            "msg_id": uuid::Uuid::new_v4().to_string(),
            "msg_type": msg_type,
            "session": self.session,
            "username": "kernel",
            "date": clock::now_rfc3339(),
            "version": PROTOCOL_VERSION,
        });
        match header {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn sign(&self, parts: &[Bytes]) -> String {
        let Some(key) = &self.key else { return String::new() };
        let mut context = hmac::Context::with_key(key);
        for part in parts {
            context.update(part);
        }
        HEXLOWER.encode(context.sign().as_ref())
    }

    fn verify(&self, signature: &Bytes, parts: &[&Bytes]) -> Result<(), WireError> {
        let Some(key) = &self.key else { return Ok(()) };
        let signature = HEXLOWER.decode(signature).map_err(|_| WireError::BadSignature)?;
        let signed: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        hmac::verify(key, &signed, &signature).map_err(|_| WireError::BadSignature)
    }
}

fn object(frame: &Bytes, name: &'static str) -> Result<Map<String, Value>, WireError> {
    serde_json::from_slice(frame).map_err(|_| WireError::NotAnObject { frame: name })
}

fn json_bytes(value: &impl serde::Serialize) -> Bytes {
    // Maps with string keys always serialize; an empty object keeps the frame count right anyway.
    Bytes::from(serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec()))
}

#[cfg(test)]
mod tests;
