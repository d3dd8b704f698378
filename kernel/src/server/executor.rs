//! The thread that runs cells, one after the other, in the order they arrived.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{IoPub, Replies, Reply, history::History};
use crate::{
    display::MimeBundle,
    screen::{Screen, Stream},
    session::{CellError, Session},
    wire::{Codec, Message},
};

/// Before a failed cell's reply is sent, requests that were sent along with it ("run all") have this
/// long to arrive. What arrives later was sent by somebody who knows of the failure, and runs.
const QUEUE_GRACE: Duration = Duration::from_millis(30);

/// What the executor thread needs.
pub(crate) struct Context {
    pub(crate) codec: Codec,
    pub(crate) iopub: IoPub,
    pub(crate) replies: Replies,
    pub(crate) session: Arc<Session>,
}

/// Queues cells for the executor thread.
pub(crate) struct Handle {
    queue: Sender<Message>,
    running: Arc<Mutex<Option<Map<String, Value>>>>,
    history: Arc<History>,
}

impl Handle {
    /// Run this `execute_request` after those already queued.
    pub(crate) fn execute(&self, request: Message) {
        let _ = self.queue.send(request);
    }

    /// Inputs of this session.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Another request's `idle` must not make a client show a running kernel as idle.
    pub(crate) fn show_busy_again(&self, iopub: &IoPub) {
        let Ok(running) = self.running.lock() else { return };
        if let Some(parent) = running.as_ref() {
            iopub.status(parent, "busy");
        }
    }
}

/// Start the executor thread.
pub(crate) fn spawn(context: Context) -> Handle {
    let (queue, jobs) = channel();
    let running = Arc::new(Mutex::new(None));
    let history = Arc::new(History::default());
    let handle = Handle { queue, running: running.clone(), history: history.clone() };
    let mut executor = Executor { context, running, history, execution_count: 0 };
    std::thread::Builder::new()
        .name("executor".into())
        .spawn(move || {
            while let Ok(request) = jobs.recv() {
                executor.execute(&request, &jobs);
            }
        })
        .map(drop)
        .unwrap_or_else(|error| eprintln!("luthier: no thread to run cells: {error}"));
    handle
}

struct Executor {
    context: Context,
    running: Arc<Mutex<Option<Map<String, Value>>>>,
    history: Arc<History>,
    execution_count: u64,
}

impl Executor {
    fn execute(&mut self, request: &Message, queued: &Receiver<Message>) {
        let iopub = self.context.iopub.clone();
        iopub.status(&request.header, "busy");
        self.set_running(Some(request.header.clone()));
        let silent = request.flag("silent", false);
        if !silent && request.flag("store_history", true) {
            self.execution_count += 1;
            self.history.push(self.execution_count, request.text("code"));
        }
        if !silent {
            let input = json!({"code": request.text("code"), "execution_count": self.execution_count});
            iopub.send(&request.header, "execute_input", input);
        }
        let outcome = self.run(request);
        if let Err(error) = &outcome {
            iopub.send(&request.header, "error", error_content(error));
        }
        let mut aborted = Vec::new();
        if outcome.is_err() && request.flag("stop_on_error", true) {
            std::thread::sleep(QUEUE_GRACE);
            aborted.extend(queued.try_iter());
        }
        self.finish(request, reply_content(request, &outcome, self.execution_count));
        aborted.iter().for_each(|queued| self.abort(queued));
    }

    /// Run the cell; a fault of ours becomes its error and the next cell works.
    fn run(&self, request: &Message) -> Result<(), CellError> {
        let mut screen = Broadcast { iopub: &self.context.iopub, parent: &request.header };
        let session = &self.context.session;
        catch_unwind(AssertUnwindSafe(|| session.run_cell(request.text("code"), &mut screen))).unwrap_or_else(|panic| {
            let what = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(CellError::new("InternalError", format!("the kernel failed on this cell: {what}")))
        })
    }

    /// Outputs first, then the reply, then `idle`: clients stop listening when they have both.
    fn finish(&self, request: &Message, content: Value) {
        let _ = self.context.iopub.flushed().blocking_recv();
        let (sent, was_sent) = oneshot::channel();
        let message = self.context.codec.reply(request, "execute_reply", content);
        let _ = self.context.replies.send(Reply { message, sent: Some(sent) });
        let _ = was_sent.blocking_recv();
        self.set_running(None);
        self.context.iopub.status(&request.header, "idle");
    }

    fn abort(&self, request: &Message) {
        self.context.iopub.status(&request.header, "busy");
        let content = json!({"status": "aborted", "execution_count": self.execution_count});
        self.finish(request, content);
    }

    fn set_running(&self, parent: Option<Map<String, Value>>) {
        if let Ok(mut running) = self.running.lock() {
            *running = parent;
        }
    }
}

fn error_content(error: &CellError) -> Value {
    json!({"ename": error.ename, "evalue": error.evalue, "traceback": error.traceback})
}

fn reply_content(request: &Message, outcome: &Result<(), CellError>, execution_count: u64) -> Value {
    let mut content = json!({
        "status": if outcome.is_ok() { "ok" } else { "error" },
        "execution_count": execution_count,
        "user_expressions": user_expressions(request),
        "payload": [],
    });
    if let (Err(error), Some(fields)) = (outcome, content.as_object_mut())
        && let Value::Object(more) = error_content(error)
    {
        fields.extend(more);
    }
    content
}

/// Expressions are not evaluated in a compiled language; each gets its own error, as the protocol asks.
fn user_expressions(request: &Message) -> Value {
    let asked = request.content.get("user_expressions").and_then(Value::as_object);
    let evalue = "user expressions are not supported";
    let refused = json!({"status": "error", "ename": "Unsupported", "evalue": evalue, "traceback": [evalue]});
    asked.into_iter().flatten().map(|(name, _)| (name.clone(), refused.clone())).collect::<Map<_, _>>().into()
}

/// Shows a cell's output to every client.
struct Broadcast<'a> {
    iopub: &'a IoPub,
    parent: &'a Map<String, Value>,
}

impl Screen for Broadcast<'_> {
    fn text(&mut self, stream: Stream, text: &str) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.iopub.send(self.parent, "stream", json!({"name": name, "text": text}));
    }

    fn show(&mut self, bundle: &MimeBundle, display_id: Option<&str>) {
        self.iopub.send(self.parent, "display_data", display_content(bundle, display_id));
    }

    fn update(&mut self, bundle: &MimeBundle, display_id: &str) {
        self.iopub.send(self.parent, "update_display_data", display_content(bundle, Some(display_id)));
    }
}

fn display_content(bundle: &MimeBundle, display_id: Option<&str>) -> Value {
    let transient = display_id.map_or(json!({}), |id| json!({"display_id": id}));
    json!({"data": bundle.data(), "metadata": {}, "transient": transient})
}
