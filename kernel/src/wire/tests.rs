use bytes::Bytes;
use serde_json::{Map, json};
use zeromq::ZmqMessage;

use super::{Codec, Message, WireError};

fn request(codec: &Codec) -> Message {
    let mut message = codec.child(&Map::new(), "execute_request", json!({"code": "1"}));
    message.identities = vec![Bytes::from_static(b"client")];
    message.header.insert("subshell_id".into(), json!("s1"));
    message.buffers = vec![Bytes::from_static(b"raw")];
    message
}

#[test]
fn a_message_survives_encoding_and_decoding() {
    let codec = Codec::new("secret", "session");
    let message = request(&codec);
    assert_eq!(codec.decode(codec.encode(&message)).unwrap(), message);
}

#[test]
fn unknown_header_fields_come_back_in_the_parent_header() {
    let codec = Codec::new("", "session");
    let reply = codec.reply(&request(&codec), "execute_reply", json!({}));
    assert_eq!(reply.parent_header["subshell_id"], "s1");
    assert_eq!(reply.identities, vec![Bytes::from_static(b"client")]);
}

#[test]
fn buffers_are_not_signed() {
    let codec = Codec::new("secret", "session");
    let mut frames = codec.encode(&request(&codec)).into_vec();
    *frames.last_mut().unwrap() = Bytes::from_static(b"other");
    codec.decode(ZmqMessage::try_from(frames).unwrap()).unwrap();
}

#[test]
fn a_changed_content_is_refused() {
    let codec = Codec::new("secret", "session");
    let mut frames = codec.encode(&request(&codec)).into_vec();
    frames[6] = Bytes::from_static(b"{\"code\":\"2\"}");
    let error = codec.decode(ZmqMessage::try_from(frames).unwrap()).unwrap_err();
    assert!(matches!(error, WireError::BadSignature), "{error}");
}

#[test]
fn malformed_messages_are_errors_and_not_panics() {
    let codec = Codec::new("", "session");
    let message = |frames: &[&[u8]]| {
        ZmqMessage::try_from(frames.iter().map(|f| Bytes::copy_from_slice(f)).collect::<Vec<_>>()).unwrap()
    };
    assert!(matches!(codec.decode(message(&[b"x"])), Err(WireError::NoDelimiter)));
    assert!(matches!(codec.decode(message(&[b"<IDS|MSG>", b""])), Err(WireError::TooFewFrames { found: 1 })));
    let broken: &[&[u8]] = &[b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"[1"];
    assert!(matches!(codec.decode(message(broken)), Err(WireError::NotAnObject { frame: "content" })));
}
