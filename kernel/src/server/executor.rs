//! The thread that runs cells, one after the other, in the order they arrived.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{IoPub, Replies, Reply, history::History, stdin::StdIn};
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
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) codec: Codec,
    pub(crate) iopub: IoPub,
    pub(crate) replies: Replies,
    pub(crate) stdin: StdIn,
    pub(crate) session: Arc<Session>,
    /// Inputs of this kernel, from all of its shells.
    pub(crate) history: Arc<History>,
    /// Numbers the inputs of all shells.
    pub(crate) execution_count: Arc<AtomicU64>,
}

/// Queues cells for the executor thread.
pub(crate) struct Handle {
    queue: Sender<Message>,
    running: Arc<Mutex<Option<Map<String, Value>>>>,
    session: Arc<Session>,
}

impl Handle {
    /// Run this `execute_request` after those already queued.
    pub(crate) fn execute(&self, request: Message) {
        let _ = self.queue.send(request);
    }

    /// The session that the cells belong to.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
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
    let handle = Handle { queue, running: running.clone(), session: context.session.clone() };
    let executor = Executor { context, running };
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
}

impl Executor {
    fn execute(&self, request: &Message, queued: &Receiver<Message>) {
        let iopub = self.context.iopub.clone();
        iopub.status(&request.header, "busy");
        self.set_running(Some(request.header.clone()));
        let silent = request.flag("silent", false);
        let execution_count = if !silent && request.flag("store_history", true) {
            let count = self.context.execution_count.fetch_add(1, Ordering::SeqCst) + 1;
            self.context.history.push(count, request.text("code"));
            count
        } else {
            self.execution_count()
        };
        if !silent {
            let input = json!({"code": request.text("code"), "execution_count": execution_count});
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
        self.finish(request, reply_content(request, &outcome, execution_count));
        aborted.iter().for_each(|queued| self.abort(queued));
    }

    /// Run the cell; a fault of ours becomes its error and the next cell works.
    fn run(&self, request: &Message) -> Result<(), CellError> {
        let session = &self.context.session;
        let mut screen = Broadcast { context: &self.context, request, cancelled: session.cancelled() };
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
        let content = json!({"status": "aborted", "execution_count": self.execution_count()});
        self.finish(request, content);
    }

    fn execution_count(&self) -> u64 {
        self.context.execution_count.load(Ordering::SeqCst)
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

/// Shows a cell's output to every client, and asks the one that sent it.
struct Broadcast<'a> {
    context: &'a Context,
    request: &'a Message,
    cancelled: Arc<AtomicBool>,
}

impl Broadcast<'_> {
    fn send(&self, msg_type: &str, content: Value) {
        self.context.iopub.send(&self.request.header, msg_type, content);
    }
}

impl Screen for Broadcast<'_> {
    fn text(&mut self, stream: Stream, text: &str) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.send("stream", json!({"name": name, "text": text}));
    }

    fn show(&mut self, bundle: &MimeBundle, display_id: Option<&str>) {
        self.send("display_data", display_content(bundle, display_id));
    }

    fn update(&mut self, bundle: &MimeBundle, display_id: &str) {
        self.send("update_display_data", display_content(bundle, Some(display_id)));
    }

    fn clear(&mut self, wait: bool) {
        self.send("clear_output", json!({"wait": wait}));
    }

    fn input(&mut self, prompt: &str, password: bool) -> Result<String, String> {
        if !self.request.flag("allow_stdin", true) {
            return Err(
                "this client does not answer questions (stdin is not allowed): give the value in the cell".into()
            );
        }
        // What was printed before the question is seen before it.
        let _ = self.context.iopub.flushed().blocking_recv();
        self.context.stdin.ask(self.request, prompt, password, &self.cancelled)
    }
}

fn display_content(bundle: &MimeBundle, display_id: Option<&str>) -> Value {
    let transient = display_id.map_or(json!({}), |id| json!({"display_id": id}));
    json!({"data": bundle.data(), "metadata": {}, "transient": transient})
}
