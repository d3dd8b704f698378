//! The shell channel: executions are queued, everything else is answered at once.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{Replies, Reply, Shared, control::unsupported, info};
use crate::{
    assist::{self, Position},
    wire::Message,
};

/// Answer shell messages until the channel closes.
pub(crate) async fn serve(shared: Arc<Shared>, mut messages: mpsc::UnboundedReceiver<Message>, replies: Replies) {
    while let Some(message) = messages.recv().await {
        match message.msg_type() {
            "execute_request" => execute(&shared, message, &replies),
            "comm_open" => refuse_comm(&shared, &message),
            "comm_msg" | "comm_close" => {}
            // Rust completion waits for rust-analyzer: never in the way of the next message.
            "complete_request" | "inspect_request" => {
                let (shared, replies) = (shared.clone(), replies.clone());
                tokio::spawn(async move { respond(&shared, message, &replies).await });
            }
            _ => respond(&shared, message, &replies).await,
        }
    }
}

/// Cells of a subshell run beside those of the main shell.
fn execute(shared: &Shared, message: Message, replies: &Replies) {
    let subshell_id = message.header.get("subshell_id").and_then(Value::as_str);
    let unknown = match subshell_id {
        None => return shared.executor.execute(message),
        Some(id) => match shared.subshells.execute(id, message.clone()) {
            Ok(()) => return,
            Err(unknown) => unknown,
        },
    };
    shared.iopub.status(&message.header, "busy");
    let _ = replies.send(Reply { message: shared.codec.reply(&message, "execute_reply", unknown), sent: None });
    shared.iopub.status(&message.header, "idle");
}

async fn respond(shared: &Arc<Shared>, message: Message, replies: &Replies) {
    shared.iopub.status(&message.header, "busy");
    let worker = shared.clone();
    let request = message.clone();
    let answered = match message.msg_type() {
        "complete_request" | "inspect_request" => {
            tokio::task::spawn_blocking(move || answer(&worker, &request)).await.ok()
        }
        _ => Some(answer(&worker, &request)),
    };
    let (reply_type, content) = answered.unwrap_or_else(|| unsupported(message.msg_type()));
    let (sent, was_sent) = oneshot::channel();
    let _ = replies.send(Reply { message: shared.codec.reply(&message, &reply_type, content), sent: Some(sent) });
    let _ = was_sent.await;
    shared.iopub.status(&message.header, "idle");
    shared.show_busy_again();
}

fn answer(shared: &Shared, message: &Message) -> (String, Value) {
    match message.msg_type() {
        "kernel_info_request" => ("kernel_info_reply".into(), info::kernel_info()),
        "complete_request" => ("complete_reply".into(), complete(shared, message)),
        "inspect_request" => ("inspect_reply".into(), inspect(shared, message)),
        "is_complete_request" => ("is_complete_reply".into(), is_complete(message)),
        "history_request" => ("history_reply".into(), shared.history.reply(message)),
        "comm_info_request" => ("comm_info_reply".into(), json!({"status": "ok", "comms": {}})),
        // Clients ask on either channel.
        "interrupt_request" => {
            shared.interrupt();
            ("interrupt_reply".into(), json!({"status": "ok"}))
        }
        // Deprecated on shell, and still sent by some clients.
        "connect_request" => ("connect_reply".into(), json!({"status": "ok"})),
        other => unsupported(other),
    }
}

fn position(message: &Message) -> Position {
    let code = message.text("code").to_owned();
    let characters = message.content.get("cursor_pos").and_then(Value::as_u64);
    Position::new(code, characters.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
}

fn complete(shared: &Shared, message: &Message) -> Value {
    let position = position(message);
    let found = assist::complete(&position, shared.session.rust_if_started(), &|names| shared.session.names(names));
    json!({
        "status": "ok",
        "matches": found.matches,
        "cursor_start": position.characters_before(found.start),
        "cursor_end": position.characters_before(found.end),
        "metadata": {},
    })
}

fn inspect(shared: &Shared, message: &Message) -> Value {
    match assist::inspect(&position(message), shared.session.rust_if_started()) {
        Some(bundle) => json!({"status": "ok", "found": true, "data": bundle.data(), "metadata": {}}),
        None => json!({"status": "ok", "found": false, "data": {}, "metadata": {}}),
    }
}

fn is_complete(message: &Message) -> Value {
    match assist::is_complete(message.text("code")) {
        assist::Completeness::Complete => json!({"status": "complete"}),
        assist::Completeness::Incomplete => json!({"status": "incomplete", "indent": ""}),
        assist::Completeness::Invalid => json!({"status": "invalid"}),
    }
}

/// No comm target exists here; the protocol's way to say so is to close the comm at once.
fn refuse_comm(shared: &Shared, message: &Message) {
    shared.iopub.status(&message.header, "busy");
    shared.iopub.send(&message.header, "comm_close", json!({"comm_id": message.text("comm_id"), "data": {}}));
    shared.iopub.status(&message.header, "idle");
}
