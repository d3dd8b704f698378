//! One conversation with the engine.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use luthier_protocol::{
    ClientBody, ClientMessage, EngineBody, Event, Failure, FailureKind, PROTOCOL_VERSION, Request, Response,
};

use super::options::ConnectOptions;
use super::transport::{Arrival, Transport};
use super::{BUILD, spawn};

/// How often a waiting request looks at its cancel flag.
const CANCEL_POLL: Duration = Duration::from_millis(25);

/// How long the engine may take to stop what was cancelled: it writes a checkpoint first.
const CANCEL_PATIENCE: Duration = Duration::from_secs(60);

/// How long a connected engine may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(20);

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineIdentity {
    /// The engine's build.
    pub build: String,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Its process id.
    pub pid: u32,
}

/// A connection to the engine, for one project. When the engine dies, the request under way fails
/// with [`FailureKind::EngineLost`]; the next one connects again, to a new engine if need be.
pub struct Connection {
    transport: Option<Transport>,
    /// How to connect again; None over streams that were handed to us.
    options: Option<ConnectOptions>,
    project_dir: String,
    identity: EngineIdentity,
    next_id: u64,
    leave: Option<Arc<AtomicBool>>,
}

/// Connect to the engine of this account, starting it if it does not run. A socket left by a dead
/// engine does not matter: the engine that is started replaces it.
pub fn connect_or_spawn(options: ConnectOptions) -> Result<Connection, Failure> {
    let project_dir = options.project_root().to_string_lossy().into_owned();
    let mut connection = Connection {
        transport: None,
        options: Some(options),
        project_dir,
        identity: EngineIdentity { build: String::new(), device: String::new(), pid: 0 },
        next_id: 0,
        leave: None,
    };
    connection.ensure_connected()?;
    Ok(connection)
}

impl Connection {
    /// A connection over streams that already lead to an engine (`luthier-engine --stdio` through
    /// `ssh` or `srun`). It cannot be renewed when it breaks.
    pub fn over(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        project_dir: impl Into<String>,
    ) -> Result<Self, Failure> {
        let mut transport = Transport::new(reader, writer);
        let identity = greet(&mut transport)?;
        Ok(Connection {
            transport: Some(transport),
            options: None,
            project_dir: project_dir.into(),
            identity,
            next_id: 0,
            leave: None,
        })
    }

    /// Who answered the last handshake.
    pub fn identity(&self) -> &EngineIdentity {
        &self.identity
    }

    /// The project that requests are about.
    pub fn project_dir(&self) -> &str {
        &self.project_dir
    }

    /// Ask for something and wait until it is done. `on_event` hears what happens on the way.
    /// Once `cancel` is true, the engine is asked to stop: a run pauses with a checkpoint and the
    /// answer is what the engine then says, usually [`FailureKind::Interrupted`].
    pub fn request(
        &mut self,
        request: Request,
        on_event: &mut dyn FnMut(Event),
        cancel: Option<&AtomicBool>,
    ) -> Result<Response, Failure> {
        self.ensure_connected()?;
        let name = request_name(&request);
        let id = self.send_request(request)?;
        let mut seen = Seen::default();
        let answer = self.wait_for(
            id,
            &mut |event| {
                seen.note(&event);
                on_event(event);
            },
            cancel,
        );
        match answer {
            Answer::Result(response) => Ok(*response),
            Answer::Error(failure) => Err(failure),
            Answer::Lost(cause) => {
                self.transport = None;
                Err(self.lost(&name, &cause, &seen))
            }
            Answer::Left => {
                self.transport = None;
                Err(seen.left_behind(&name))
            }
            Answer::Deaf => {
                self.transport = None;
                Err(Failure::new(
                    FailureKind::Interrupted,
                    format!(
                        "{name} was asked to stop, but the engine has not confirmed it within {} s",
                        CANCEL_PATIENCE.as_secs()
                    ),
                )
                .hint(format!("the engine is process {}; `%runs` shows what it does", self.identity.pid)))
            }
        }
    }

    /// From now on, a request ends once this flag is true, as if by [`Connection::detach`]: what it
    /// started goes on in the engine, and the failure ([`FailureKind::Interrupted`]) says so.
    pub fn leave_when(&mut self, flag: Arc<AtomicBool>) {
        self.leave = Some(flag);
    }

    /// Go away, and let what was started go on.
    pub fn detach(mut self) {
        self.send_detach();
    }

    fn send_detach(&mut self) {
        let id = self.take_id();
        if let Some(transport) = &mut self.transport {
            // An engine that is gone needs no good-bye.
            let _ = transport.send(&ClientMessage { id, body: ClientBody::Detach });
        }
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn ensure_connected(&mut self) -> Result<(), Failure> {
        if let Some(transport) = &mut self.transport {
            // An engine that idled out between two cells is noticed here, not in the request.
            match transport.receive(Duration::ZERO) {
                Arrival::Lost(_) => self.transport = None,
                Arrival::Message(_) | Arrival::Nothing => return Ok(()),
            }
        }
        let Some(options) = &self.options else {
            return Err(Failure::new(FailureKind::EngineLost, "the stream to the engine has ended")
                .hint("start it again and connect to it"));
        };
        let stream = spawn::open(options)?;
        let reader = stream.try_clone().map_err(|error| {
            Failure::new(FailureKind::Internal, format!("the engine's socket could not be used: {error}"))
        })?;
        let mut transport = Transport::new(reader, stream);
        self.identity = greet(&mut transport)?;
        self.transport = Some(transport);
        Ok(())
    }

    /// Sends; an engine that just went away is started again once.
    fn send_request(&mut self, request: Request) -> Result<u64, Failure> {
        let id = self.take_id();
        let body = ClientBody::Request { project_dir: self.project_dir.clone(), request };
        let message = ClientMessage { id, body };
        for attempt in 0..2 {
            self.ensure_connected()?;
            let Some(transport) = &mut self.transport else { continue };
            match transport.send(&message) {
                Ok(()) => return Ok(id),
                Err(luthier_protocol::frame::FrameError::Io(_)) if attempt == 0 && self.options.is_some() => {
                    self.transport = None;
                }
                Err(error) => return Err(Failure::new(FailureKind::EngineLost, error.to_string())),
            }
        }
        Err(Failure::new(FailureKind::EngineLost, "the engine closes every connection at once"))
    }

    fn wait_for(&mut self, id: u64, on_event: &mut dyn FnMut(Event), cancel: Option<&AtomicBool>) -> Answer {
        let mut cancelled_at: Option<Instant> = None;
        loop {
            if self.leave.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                self.send_detach();
                return Answer::Left;
            }
            let wanted = cancel.is_some_and(|flag| flag.load(Ordering::Relaxed));
            if wanted && cancelled_at.is_none() {
                cancelled_at = Some(Instant::now());
                crate::cell::stopping();
                self.send_cancel(id);
            }
            if cancelled_at.is_some_and(|at| at.elapsed() > CANCEL_PATIENCE) {
                return Answer::Deaf;
            }
            let Some(transport) = &mut self.transport else {
                return Answer::Lost("the connection was lost before".into());
            };
            let message = match transport.receive(CANCEL_POLL) {
                Arrival::Message(message) if message.id == id => message,
                // The tail of an earlier request that nobody waits for any more.
                Arrival::Message(_) | Arrival::Nothing => continue,
                Arrival::Lost(cause) => return Answer::Lost(cause),
            };
            match message.body {
                EngineBody::Event { event } => on_event(event),
                EngineBody::Result { response } => return Answer::Result(response),
                EngineBody::Error { failure } => return Answer::Error(failure),
                EngineBody::Hello { .. } => {}
            }
        }
    }

    fn send_cancel(&mut self, request: u64) {
        let id = self.take_id();
        if let Some(transport) = &mut self.transport {
            // A failed send is noticed by the read that follows.
            let _ = transport.send(&ClientMessage { id, body: ClientBody::Cancel { request } });
        }
    }

    fn lost(&self, name: &str, cause: &str, seen: &Seen) -> Failure {
        let at = seen.run.as_ref().map(|run| match seen.step {
            0 => format!(" (run {run})"),
            step => format!(" (run {run}, after step {step})"),
        });
        let failure = Failure::new(
            FailureKind::EngineLost,
            format!(
                "the engine (process {}) went away during {name}{}: {cause}",
                self.identity.pid,
                at.unwrap_or_default()
            ),
        );
        let log = self
            .options
            .as_ref()
            .map(|options| options.resolved_runtime_dir().join(luthier_protocol::paths::LOG_FILE_NAME));
        let log = log.map_or(String::new(), |path| format!("; its log is {}", path.display()));
        match &seen.run {
            Some(run) => {
                failure.hint(format!("`%resume {run}` goes on from the last checkpoint, in a new engine{log}"))
            }
            None => failure.hint(format!("run the cell again: a new engine will be started{log}")),
        }
    }
}

enum Answer {
    Result(Box<Response>),
    Error(Failure),
    Lost(String),
    /// Cancelled, and no answer for too long.
    Deaf,
    /// The client asked to leave.
    Left,
}

/// What must be told if the engine dies.
#[derive(Default)]
struct Seen {
    run: Option<String>,
    step: u64,
}

impl Seen {
    fn left_behind(&self, name: &str) -> Failure {
        let failure = Failure::new(FailureKind::Interrupted, format!("{name} goes on in the engine"));
        match &self.run {
            Some(run) => failure.hint(format!("`%follow {run}` finds it again")),
            None => failure,
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => self.run = Some(run.clone()),
            Event::Step(step) => self.step = step.global_step,
            _ => {}
        }
    }
}

/// The request's name on the wire: `finetune`.
fn request_name(request: &Request) -> String {
    let json = serde_json::to_value(request).unwrap_or_default();
    json["request"].as_str().unwrap_or("a request").to_owned()
}

fn greet(transport: &mut Transport) -> Result<EngineIdentity, Failure> {
    let body = ClientBody::Hello { protocol_version: PROTOCOL_VERSION, build: BUILD.into() };
    let lost = |cause: String| Failure::new(FailureKind::EngineLost, format!("the engine did not say hello: {cause}"));
    transport.send(&ClientMessage { id: 0, body }).map_err(|error| lost(error.to_string()))?;
    let deadline = Instant::now() + HELLO_TIMEOUT;
    loop {
        match transport.receive(deadline.saturating_duration_since(Instant::now())) {
            Arrival::Message(message) => match message.body {
                EngineBody::Hello { protocol_version, build, device, pid } => {
                    return check_versions(protocol_version, EngineIdentity { build, device, pid });
                }
                EngineBody::Error { failure } => return Err(failure),
                _ => {}
            },
            Arrival::Lost(cause) => return Err(lost(cause)),
            Arrival::Nothing => return Err(lost(format!("no answer within {} s", HELLO_TIMEOUT.as_secs()))),
        }
    }
}

fn check_versions(protocol_version: u32, identity: EngineIdentity) -> Result<EngineIdentity, Failure> {
    let other = |what: &str, found: &str, expected: &str| {
        Failure::new(
            FailureKind::Protocol,
            format!("the engine that runs (process {}) {what} {found}, this client {expected}", identity.pid),
        )
        .hint(format!("it is of another installation; when no run is under way, end it with `kill {}`", identity.pid))
    };
    if protocol_version != PROTOCOL_VERSION {
        return Err(other("speaks protocol version", &protocol_version.to_string(), &PROTOCOL_VERSION.to_string()));
    }
    if version_of(&identity.build) != version_of(BUILD) {
        return Err(other("is build", &identity.build, BUILD));
    }
    Ok(identity)
}

/// `0.1.0` of `0.1.0+abc` and of `luthier-engine 0.1.0`: what follows tells builds of one version apart.
fn version_of(build: &str) -> &str {
    let version = build.rsplit(' ').next().unwrap_or(build);
    version.split(['+', '-']).next().unwrap_or(version)
}
