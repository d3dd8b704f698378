//! HTTP/1.1, one request per connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Mishap;

/// What a client says.
#[derive(Debug)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// Without the query, percent signs resolved.
    pub path: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the server says.
#[derive(Debug, Default)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The body is a file, of which a range can be asked for.
    pub(super) is_file: bool,
}

impl Reply {
    /// 200 with JSON.
    pub fn json(value: &Value) -> Reply {
        let headers = vec![("Content-Type".into(), "application/json".into())];
        Reply { status: 200, headers, body: value.to_string().into_bytes(), is_file: false }
    }

    /// A refusal as the hub makes it.
    pub fn error(status: u16, code: &str, message: &str) -> Reply {
        let mut reply = Reply { status, ..Reply::json(&json!({ "error": message })) };
        reply.headers.push(("X-Error-Message".into(), message.into()));
        if !code.is_empty() {
            reply.headers.push(("X-Error-Code".into(), code.into()));
        }
        reply
    }

    /// A file's content.
    pub fn file(body: Vec<u8>) -> Reply {
        Reply { status: 200, headers: Vec::new(), body, is_file: true }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }
}

pub(super) fn read(stream: &TcpStream) -> Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let method = words.next().context("an empty request")?.to_owned();
    let target = words.next().context("no path")?;
    let path = decoded(target.split('?').next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    if request.header("expect").is_some() {
        (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if let Some(length) = request.header("content-length").and_then(|text| text.parse::<u64>().ok()) {
        reader.take(length).read_to_end(&mut request.body)?;
    } else if request.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        request.body = chunked(&mut reader)?;
    }
    Ok(request)
}

fn chunked(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16)?;
        reader.by_ref().take(length).read_to_end(&mut body)?;
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let digits = String::from_utf8_lossy(&digits).into_owned();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn write(stream: &TcpStream, request: &Request, mut reply: Reply, mishaps: &[Mishap]) -> Result<()> {
    if reply.is_file {
        range(request, &mut reply, mishaps);
    }
    let mut cut = None;
    for mishap in mishaps {
        match mishap {
            Mishap::Status(status) => reply = Reply { status: *status, ..Reply::default() },
            Mishap::CutAfter(n) => cut = Some(*n),
            Mishap::WrongBytes => reply.body.iter_mut().for_each(|byte| *byte ^= 1),
            Mishap::TooLong(n) => reply.body.extend(std::iter::repeat_n(b'x', *n)),
            Mishap::Header(name, value) => {
                reply.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                reply.headers.push(((*name).to_owned(), value.clone()));
            }
            Mishap::Body(text) => reply.body = text.clone().into_bytes(),
            Mishap::IgnoreRange | Mishap::WrongRange | Mishap::Silence => {}
        }
    }
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", reply.status);
    let has_length = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if !has_length {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        let n = cut.map_or(reply.body.len(), |cut| cut.min(reply.body.len()));
        stream.write_all(&reply.body[..n])?;
    }
    stream.flush()?;
    Ok(())
}

fn range(request: &Request, reply: &mut Reply, mishaps: &[Mishap]) {
    let total = reply.body.len();
    let asked = request.header("range").and_then(|value| value.strip_prefix("bytes=")).and_then(|value| {
        let (start, end) = value.split_once('-')?;
        let end = end.parse::<usize>().map_or(total, |end| (end + 1).min(total));
        Some((start.parse::<usize>().ok()?, end))
    });
    let Some((mut start, end)) = asked else { return };
    if mishaps.iter().any(|mishap| matches!(mishap, Mishap::WrongRange)) {
        start = start.saturating_sub(1);
    }
    if start >= total {
        *reply = Reply { status: 416, ..Reply::default() };
        return;
    }
    reply.status = 206;
    reply.headers.push(("Content-Range".into(), format!("bytes {start}-{}/{total}", end - 1)));
    reply.body = reply.body[start..end].to_vec();
}
