//! The control channel: what must be answered while a cell runs.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{Replies, Reply, Shared, info};
use crate::wire::Message;

/// Answer control messages; returns after a shutdown request was answered.
pub(crate) async fn serve(shared: Arc<Shared>, mut messages: mpsc::UnboundedReceiver<Message>, replies: Replies) {
    while let Some(message) = messages.recv().await {
        shared.iopub.status(&message.header, "busy");
        let shutdown = message.msg_type() == "shutdown_request";
        if shutdown {
            end_session(&shared).await;
        }
        let (reply_type, content) = answer(&shared, &message);
        if shutdown {
            shared.iopub.send(&message.header, "shutdown_reply", content.clone());
        }
        let (sent, was_sent) = oneshot::channel();
        let reply = shared.codec.reply(&message, &reply_type, content);
        let _ = replies.send(Reply { message: reply, sent: Some(sent) });
        let _ = was_sent.await;
        shared.iopub.status(&message.header, "idle");
        if shutdown {
            let _ = shared.iopub.flushed().await;
            // ZeroMQ hands frames to the operating system in the background.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            return;
        }
        shared.show_busy_again();
    }
}

/// Leave a run going if a restart is under way, else stop what is running. Bounded: clients send
/// SIGTERM 2.5 s after a shutdown request.
pub(crate) async fn end_session(shared: &Shared) {
    let session = shared.session.clone();
    for subshell in shared.subshells.sessions() {
        subshell.interrupt();
    }
    let ended = tokio::task::spawn_blocking(move || session.shutdown());
    let _ = tokio::time::timeout(std::time::Duration::from_millis(2000), ended).await;
}

fn answer(shared: &Shared, message: &Message) -> (String, Value) {
    match message.msg_type() {
        "kernel_info_request" => ("kernel_info_reply".into(), info::kernel_info()),
        "interrupt_request" => {
            shared.interrupt();
            ("interrupt_reply".into(), json!({"status": "ok"}))
        }
        "shutdown_request" => {
            ("shutdown_reply".into(), json!({"status": "ok", "restart": message.flag("restart", false)}))
        }
        "usage_request" => ("usage_reply".into(), info::usage(&shared.session)),
        "create_subshell_request" => ("create_subshell_reply".into(), shared.subshells.create()),
        "delete_subshell_request" => ("delete_subshell_reply".into(), shared.subshells.delete(message)),
        "list_subshell_request" => ("list_subshell_reply".into(), shared.subshells.list()),
        other => unsupported(other),
    }
}

/// A reply to a request that this kernel does not know: silence would leave the client waiting.
pub(crate) fn unsupported(msg_type: &str) -> (String, Value) {
    let evalue = format!("luthier does not support {msg_type}");
    let reply_type = format!("{}_reply", msg_type.trim_end_matches("_request"));
    (reply_type, json!({"status": "error", "ename": "UnsupportedMessage", "evalue": evalue, "traceback": [evalue]}))
}
