//! The Jupyter server: five sockets, and one thread that runs cells in order.
//!
//! ```text
//! shell ──execute──► executor thread ──outputs──► iopub
//!   └── kernel_info, complete, inspect, … are answered at once, also while a cell runs
//! control ── interrupt, shutdown, kernel_info
//! ```
//!
//! Nothing heavier than sockets exists before the first `kernel_info_reply`: the engine, the
//! compiler and the project are touched by cells only.

use std::{path::Path, sync::Arc, time::Duration};

use jupyter_zmq_client::{
    ConnectionInfo, create_kernel_control_connection, create_kernel_heartbeat_connection,
    create_kernel_iopub_xpub_connection, create_kernel_shell_connection, create_kernel_stdin_connection,
};
use tokio::sync::mpsc;
use zeromq::{RouterRecvHalf, RouterSendHalf, SocketRecv, SocketSend};

use self::{history::History, stdin::StdIn, subshell::Subshells};
use crate::{
    error::Error,
    session::Session,
    wire::{Codec, Message},
};

mod control;
mod executor;
mod history;
mod info;
mod iopub;
mod lifetime;
mod shell;
mod stdin;
mod subshell;

pub use iopub::IoPub;

/// What the tasks of one server share.
pub(crate) struct Shared {
    codec: Codec,
    iopub: IoPub,
    session: Arc<Session>,
    executor: executor::Handle,
    subshells: Subshells,
    history: Arc<History>,
}

impl Shared {
    /// Stop the running cells of all shells.
    fn interrupt(&self) {
        self.session.interrupt();
        self.subshells.sessions().iter().for_each(Session::interrupt);
    }

    /// Another request's `idle` must not make a client show a running kernel as idle.
    fn show_busy_again(&self) {
        self.executor.show_busy_again(&self.iopub);
    }
}

/// Serve the connection file until a client asks for shutdown (or the parent process goes away).
pub fn serve(connection_file: &Path) -> Result<(), Error> {
    let connection = read_connection_file(connection_file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })?;
    let result = runtime.block_on(run(connection));
    // Cells and completions may still run on their threads; the process ends without them.
    runtime.shutdown_background();
    result
}

fn read_connection_file(path: &Path) -> Result<ConnectionInfo, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::ConnectionFile { path: path.into(), message: source.to_string() })?;
    serde_json::from_str(&text)
        .map_err(|source| Error::ConnectionFile { path: path.into(), message: source.to_string() })
}

async fn run(connection: ConnectionInfo) -> Result<(), Error> {
    let session_id = uuid::Uuid::new_v4().to_string();
    let bind = |channel: &'static str| move |source| Error::Bind { channel, source: Box::new(source) };
    let shell = create_kernel_shell_connection(&connection, &session_id).await.map_err(bind("shell"))?;
    let iopub = create_kernel_iopub_xpub_connection(&connection, &session_id).await.map_err(bind("iopub"))?;
    let control = create_kernel_control_connection(&connection, &session_id).await.map_err(bind("control"))?;
    let stdin = create_kernel_stdin_connection(&connection, &session_id).await.map_err(bind("stdin"))?;
    let heartbeat = create_kernel_heartbeat_connection(&connection).await.map_err(bind("heartbeat"))?;

    let codec = Codec::new(&connection.key, &session_id);
    let (shell_out, shell_in) = shell.socket.split();
    let (control_out, control_in) = control.socket.split();
    let session = Arc::new(Session::new(std::env::current_dir().unwrap_or_default(), rust_warm_up()));
    let iopub = IoPub::spawn(iopub.socket, codec.clone());
    let shell_replies = reply_queue(shell_out, codec.clone());
    let (stdin_out, stdin_in) = stdin.socket.split();
    let stdin = StdIn::spawn(codec.clone(), reply_queue(stdin_out, codec.clone()), receive(stdin_in, codec.clone()));
    let history = Arc::new(History::in_state_dir());
    let context = executor::Context {
        codec: codec.clone(),
        iopub: iopub.clone(),
        replies: shell_replies.clone(),
        stdin,
        session: session.clone(),
        history: history.clone(),
        execution_count: Arc::default(),
    };
    let shared = Arc::new(Shared {
        subshells: Subshells::new(context.clone()),
        executor: executor::spawn(context),
        codec: codec.clone(),
        iopub,
        session,
        history,
    });

    tokio::spawn(answer_heartbeats(heartbeat.socket));
    tokio::spawn(shell::serve(shared.clone(), receive(shell_in, codec.clone()), shell_replies));
    let control = control::serve(shared.clone(), receive(control_in, codec.clone()), reply_queue(control_out, codec));
    tokio::select! {
        () = control => {}
        () = lifetime::ended(&shared) => {}
    }
    Ok(())
}

/// The compiler for Rust cells starts in the background this long after the first cell, so that the
/// first Rust cell finds it there. `LUTHIER_RUST_WARM_UP_S` says otherwise; `never` waits for a Rust cell.
fn rust_warm_up() -> Option<Duration> {
    match std::env::var("LUTHIER_RUST_WARM_UP_S") {
        Ok(seconds) => seconds.parse().ok().map(Duration::from_secs),
        Err(_) => Some(Duration::from_secs(2)),
    }
}

/// Incoming messages of a ROUTER socket; unreadable ones are reported on standard error and dropped.
fn receive(mut socket: RouterRecvHalf, codec: Codec) -> mpsc::UnboundedReceiver<Message> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            match socket.recv().await.map(|multipart| codec.decode(multipart)) {
                Ok(Ok(message)) => {
                    if sender.send(message).is_err() {
                        return;
                    }
                }
                Ok(Err(error)) => eprintln!("luthier: {error}"),
                // A peer went away in the middle of a frame; others may still speak.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    receiver
}

/// One reply to send, and what to do once it is out.
pub(crate) struct Reply {
    message: Message,
    sent: Option<tokio::sync::oneshot::Sender<()>>,
}

/// Sends replies of a channel in order. Sending to a client that has gone is not an error.
pub(crate) type Replies = mpsc::UnboundedSender<Reply>;

fn reply_queue(mut socket: RouterSendHalf, codec: Codec) -> Replies {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Reply>();
    tokio::spawn(async move {
        while let Some(reply) = receiver.recv().await {
            let _ = socket.send(codec.encode(&reply.message)).await;
            if let Some(sent) = reply.sent {
                let _ = sent.send(());
            }
        }
    });
    sender
}

async fn answer_heartbeats(mut socket: zeromq::RepSocket) {
    loop {
        match socket.recv().await {
            Ok(beat) => drop(socket.send(beat).await),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
