//! An HTTP server on loopback that follows a script: for each request the next reply, then the last one
//! for all others. Real sockets, so that what goes wrong on them can go wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with one request.
#[derive(Clone)]
#[allow(dead_code, reason = "each test uses some")]
pub(crate) enum Reply {
    /// Status, further headers, body.
    Http(u16, Vec<(&'static str, String)>, String),
    /// The connection is closed without a word.
    Close,
    /// A body shorter than its announced length.
    Cut(String),
    /// Nothing for this long, then an answer.
    Late(Duration, String),
    /// Made from the request's body.
    Make(Arc<dyn Fn(&str) -> String + Send + Sync>),
}

/// A request as it came.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "each test looks at some")]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A running server; its thread ends with the process.
pub(crate) struct Server {
    pub(crate) base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[allow(dead_code, reason = "each test uses some")]
impl Server {
    /// Serve `script`, then its last reply again and again.
    pub(crate) fn start(script: Vec<Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (script.clone(), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &script, &seen));
            }
        });
        Server { base_url, seen }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A chat answer with this content.
#[allow(dead_code, reason = "each test uses some")]
pub(crate) fn chat(content: &str) -> String {
    let content = serde_json::Value::from(content);
    format!(
        r#"{{"choices":[{{"message":{{"role":"assistant","content":{content}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":11,"completion_tokens":7}}}}"#
    )
}

/// 200 with this body.
#[allow(dead_code, reason = "each test uses some")]
pub(crate) fn ok(body: impl Into<String>) -> Reply {
    Reply::Http(200, Vec::new(), body.into())
}

fn serve(mut stream: TcpStream, script: &[Reply], seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader) {
        let reply = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            script[(seen.len() - 1).min(script.len() - 1)].clone()
        };
        let sent = match reply {
            Reply::Close => return,
            Reply::Http(status, headers, body) => respond(&mut stream, status, &headers, &body, body.len()),
            Reply::Cut(body) => {
                let _ = respond(&mut stream, 200, &[], &body, body.len() + 100);
                return;
            }
            Reply::Late(pause, body) => {
                std::thread::sleep(pause);
                respond(&mut stream, 200, &[], &body, body.len())
            }
            Reply::Make(make) => {
                let body = make(&request.body);
                respond(&mut stream, 200, &[], &body, body.len())
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { path, headers, body: String::from_utf8(body).ok()? })
}

fn respond(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &str,
    length: usize,
) -> std::io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}
