//! One client: its greeting, its requests, and what becomes of them when it leaves.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use luthier_protocol::frame::{self, FrameError};
use luthier_protocol::{ClientBody, ClientMessage, EngineBody, Failure, FailureKind, PROTOCOL_VERSION, Request};

use crate::call::{Call, Calls, Refused};
use crate::engine::Engine;
use crate::outbox::{self, Outbox};
use crate::project::Project;
use crate::service::{self, Lane};
use crate::worker::Task;

/// Speak the protocol with one client until it leaves. Blocks.
pub fn serve(engine: &Arc<Engine>, mut reader: impl Read, writer: impl Write + Send + 'static) {
    let _present = engine.presence().connection();
    let unwritten = engine.unwritten().clone();
    let (outbox, inbox) = Outbox::new(unwritten.clone());
    let spawned =
        std::thread::Builder::new().name("writer".into()).spawn(move || outbox::write_all(writer, &inbox, &unwritten));
    if let Err(error) = spawned {
        return eprintln!("luthier-engine: a connection could not be served: {error}");
    }

    let client = Client { engine, outbox, calls: engine.new_calls() };
    match client.greet(&mut reader) {
        Ok(true) => client.listen(&mut reader),
        Ok(false) => {}
        Err(error) => client.complain(0, error),
    }
}

/// Whether the client wants more.
enum Next {
    Message,
    Leave,
}

struct Client<'a> {
    engine: &'a Arc<Engine>,
    outbox: Outbox,
    calls: Arc<Calls>,
}

impl Client<'_> {
    /// The first message must be a greeting in our version.
    fn greet(&self, reader: &mut impl Read) -> Result<bool, FrameError> {
        let Some(message) = frame::read::<ClientMessage>(reader)? else { return Ok(false) };
        match message.body {
            ClientBody::Hello { protocol_version: PROTOCOL_VERSION, .. } => {
                self.send(message.id, self.engine.hello());
                Ok(true)
            }
            ClientBody::Hello { protocol_version, build } => {
                let text = format!(
                    "the engine (process {}, build {}) speaks protocol version {PROTOCOL_VERSION}, \
                     this client (build {build}) speaks {protocol_version}",
                    std::process::id(),
                    self.engine.build(),
                );
                let failure = Failure::new(FailureKind::Protocol, text)
                    .hint("they come from different versions of luthier: end the old engine and try again");
                self.fail(message.id, failure);
                Ok(false)
            }
            _ => {
                let text = "the first message on a connection must be `hello`";
                self.fail(message.id, Failure::new(FailureKind::Protocol, text));
                Ok(false)
            }
        }
    }

    fn listen(&self, reader: &mut impl Read) {
        loop {
            match frame::read::<ClientMessage>(reader) {
                Ok(Some(message)) => match self.receive(message) {
                    Next::Message => {}
                    Next::Leave => return,
                },
                // The frame was whole, so the next one can be read: only this message is bad.
                Err(error @ FrameError::Json(_)) => self.complain(0, error),
                Err(FrameError::Io(_)) | Ok(None) => return self.calls.abandon(),
                Err(error) => {
                    self.complain(0, error);
                    return self.calls.abandon();
                }
            }
        }
    }

    fn receive(&self, message: ClientMessage) -> Next {
        match message.body {
            ClientBody::Hello { .. } => self.send(message.id, self.engine.hello()),
            ClientBody::Request { project_dir, request } => self.start(message.id, &project_dir, request),
            ClientBody::Cancel { request } => self.calls.cancel(request),
            // Everything goes on; the client only stops listening.
            ClientBody::Detach => return Next::Leave,
        }
        Next::Message
    }

    fn start(&self, id: u64, project_dir: &str, request: Request) {
        let call = Call::new(id, self.outbox.clone(), service::survives(&request));
        if let Err(refused) = self.calls.add(&call) {
            let text = match refused {
                Refused::Duplicate => format!("request id {id} is in use on this connection"),
                Refused::TooMany => "too many requests are in flight on this connection".to_owned(),
            };
            return self.fail(id, Failure::new(FailureKind::Protocol, text));
        }
        let Some(work) = self.engine.presence().work() else {
            return call.finish(Err(crate::Error::ShuttingDown.into()));
        };
        let project = match Project::open(Path::new(project_dir)) {
            Ok(project) => project,
            Err(error) => return call.finish(Err(error.into())),
        };
        let lane = service::lane(&request);
        let (engine, own) = (Arc::clone(self.engine), Arc::clone(&call));
        let work = Box::new(move || {
            if own.begin() {
                own.finish(service::answer(&engine, project, &own, request));
            }
            drop(work);
        });
        match lane {
            Lane::Device { title } => {
                if let Some(ahead) = self.engine.worker().submit(Task { title, work }) {
                    call.warn(format!("the device is busy; this waits for: {ahead}"));
                }
            }
            Lane::Own => {
                if let Err(error) = std::thread::Builder::new().name("request".into()).spawn(work) {
                    let text = format!("no thread could be started: {error}");
                    call.finish(Err(Failure::new(FailureKind::Internal, text)));
                }
            }
        }
    }

    fn complain(&self, id: u64, error: FrameError) {
        if !matches!(error, FrameError::Io(_)) {
            self.fail(id, Failure::new(FailureKind::Protocol, error.to_string()));
        }
    }

    fn fail(&self, id: u64, failure: Failure) {
        self.send(id, EngineBody::Error { failure });
    }

    fn send(&self, id: u64, body: EngineBody) {
        self.outbox.send(id, body);
    }
}
