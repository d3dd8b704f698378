//! A blocking client that keeps every event.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use luthier_protocol::{
    ClientBody, ClientMessage, EngineBody, EngineMessage, Event, Failure, PROTOCOL_VERSION, Request, Response, frame,
};

/// No answer takes longer in these tests.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Client {
    reader: Box<dyn Read>,
    writer: Box<dyn Write>,
    project: String,
    next_id: u64,
    /// Events of the last call.
    pub events: Vec<Event>,
}

impl Client {
    /// Over any pair of streams; greets.
    pub fn over(reader: impl Read + 'static, writer: impl Write + 'static, project: &Path) -> Client {
        let project = project.display().to_string();
        let mut client =
            Client { reader: Box::new(reader), writer: Box::new(writer), project, next_id: 1, events: Vec::new() };
        let hello = ClientBody::Hello { protocol_version: PROTOCOL_VERSION, build: "test".into() };
        let id = client.say(hello);
        let answer = client.hear();
        assert_eq!(answer.id, id);
        assert!(matches!(answer.body, EngineBody::Hello { protocol_version: PROTOCOL_VERSION, .. }), "{answer:?}");
        client
    }

    pub fn connect(socket: &Path, project: &Path) -> Client {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let writer = stream.try_clone().unwrap();
        Client::over(stream, writer, project)
    }

    /// Send without waiting; the id.
    pub fn say(&mut self, body: ClientBody) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        frame::write(&mut self.writer, &ClientMessage { id, body }).unwrap();
        id
    }

    pub fn send(&mut self, request: Request) -> u64 {
        let project_dir = self.project.clone();
        self.say(ClientBody::Request { project_dir, request })
    }

    pub fn hear(&mut self) -> EngineMessage {
        frame::read(&mut self.reader).unwrap().expect("the engine closed the connection")
    }

    /// Wait for the end of a request; events are kept.
    pub fn finish(&mut self, id: u64) -> Result<Response, Failure> {
        loop {
            let message = self.hear();
            match message.body {
                EngineBody::Event { event } => self.events.push(event),
                EngineBody::Result { response } if message.id == id => return Ok(*response),
                EngineBody::Error { failure } if message.id == id => return Err(failure),
                _ => {}
            }
        }
    }

    /// Wait until an event is as wanted.
    pub fn wait_for(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            match self.hear().body {
                EngineBody::Event { event } if wanted(&event) => return event,
                EngineBody::Event { event } => self.events.push(event),
                other => panic!("the request ended first: {other:?}"),
            }
        }
    }

    pub fn call(&mut self, request: Request) -> Result<Response, Failure> {
        self.events.clear();
        let id = self.send(request);
        self.finish(id)
    }
}
