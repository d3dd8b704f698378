use serde_json::{Map, json};
use tokio::sync::mpsc;

use super::{Item, merge_backlog};
use crate::wire::{Codec, Message};

fn stream(codec: &Codec, parent: &str, name: &str, text: &str) -> Message {
    let parent = Map::from_iter([("msg_id".to_owned(), json!(parent))]);
    codec.child(&parent, "stream", json!({"name": name, "text": text}))
}

#[test]
fn only_text_of_the_same_stream_and_cell_is_merged() {
    let codec = Codec::new("", "s");
    let (sender, mut queue) = mpsc::unbounded_channel();
    for (parent, name, text) in [("1", "stdout", "b"), ("1", "stdout", "c"), ("1", "stderr", "d"), ("2", "stdout", "e")]
    {
        assert!(sender.send(Item::Message(Box::new(stream(&codec, parent, name, text)))).is_ok());
    }
    let mut merged = Vec::new();
    let mut next = Some(Item::Message(Box::new(stream(&codec, "1", "stdout", "a"))));
    while let Some(Item::Message(mut message)) = next.take().or_else(|| queue.try_recv().ok()) {
        next = merge_backlog(&mut message, &mut queue);
        merged.push(message.text("text").to_owned());
    }
    assert_eq!(merged, ["abc", "d", "e"]);
}

#[test]
fn merged_texts_stay_small() {
    let codec = Codec::new("", "s");
    let (sender, mut queue) = mpsc::unbounded_channel();
    for _ in 0..1000 {
        assert!(sender.send(Item::Message(Box::new(stream(&codec, "1", "stdout", &"x".repeat(1000))))).is_ok());
    }
    let mut first = stream(&codec, "1", "stdout", "");
    assert!(merge_backlog(&mut first, &mut queue).is_none());
    assert!(first.text("text").len() < super::MAX_STREAM_BYTES + 1000);
    assert!(queue.try_recv().is_ok(), "the rest is still queued");
}
