use std::io::{self, Read};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a peer does next. After the last one it waits for the next request on the same connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these bytes.
    Say(Vec<u8>),
    /// Sends these bytes this many times.
    Repeat(Vec<u8>, usize),
    /// Waits.
    Pause(Duration),
    /// Says nothing more, and keeps the connection open.
    Hang,
    /// Closes the connection.
    Close,
}

impl Act {
    /// Sends this text.
    pub fn say(text: impl Into<String>) -> Act {
        Act::Say(text.into().into_bytes())
    }

    /// A whole response: `200 OK`, a media type (none where empty), a body.
    pub fn respond(code: &str, media_type: &str, body: &str) -> Act {
        let media_type =
            if media_type.is_empty() { String::new() } else { format!("Content-Type: {media_type}\r\n") };
        Act::say(format!("HTTP/1.1 {code}\r\n{media_type}Content-Length: {}\r\n\r\n{body}", body.len()))
    }

    /// A 200 with a JSON body.
    pub fn json(body: &str) -> Act {
        Act::respond("200 OK", "application/json", body)
    }

    /// The head of a response whose body has no length: what follows is said by other acts, in chunks.
    pub fn chunked_head() -> Act {
        Act::say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    /// One whole chunk.
    pub fn chunk(text: &str) -> Act {
        Act::say(format!("{:x}\r\n{text}\r\n", text.len()))
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// `/api/v1/pods?limit=5`.
    pub target: String,
    /// The request line and all headers, as they came.
    pub head: String,
    /// The body, put together where it came in chunks.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find_map(|(own, value)| own.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// What an API server says to `GET /api`; to all else, `other`.
    pub fn or_api(&self, other: impl FnOnce() -> Vec<Act>) -> Vec<Act> {
        if self.target == "/api" {
            vec![Act::json(r#"{"kind":"APIVersions","versions":["v1"]}"#)]
        } else {
            other()
        }
    }

    /// Agrees to a WebSocket in this protocol, and then does this.
    pub fn agree(&self, protocol: &str, then: Vec<Act>) -> Vec<Act> {
        let mut sha = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        sha.update(self.header("sec-websocket-key").unwrap_or_default().as_bytes());
        sha.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let head = Act::say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n",
            STANDARD.encode(sha.finish())
        ));
        [vec![head], then].concat()
    }
}

/// The next request; none where the other side closed, or the peer ended. What is no HTTP is invalid data.
pub(crate) fn read_request(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
    has_ended: &dyn Fn() -> bool,
) -> io::Result<Option<Asked>> {
    let Some(end) = fill_until(stream, buffer, has_ended, |buffer| match buffer.first() {
        Some(first) if !first.is_ascii_uppercase() => Some(0),
        _ => buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4),
    })?
    else {
        return Ok(None);
    };
    if end == 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let head = String::from_utf8_lossy(&buffer[..end]).trim_end().to_owned();
    buffer.drain(..end);
    let mut words = head.split(' ');
    let (method, target) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut asked = Asked { method, target, head, body: Vec::new() };
    let mut take = |length: usize| {
        let enough =
            fill_until(stream, buffer, has_ended, |buffer| (buffer.len() >= length).then_some(length))?;
        Ok::<_, io::Error>(enough.map(|length| buffer.drain(..length).collect::<Vec<u8>>()))
    };
    if asked.header("transfer-encoding") != Some("chunked") {
        let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let Some(body) = take(length)? else { return Ok(None) };
        asked.body = body;
        return Ok(Some(asked));
    }
    loop {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            let Some(byte) = take(1)? else { return Ok(None) };
            size.extend(byte);
        }
        let size =
            std::str::from_utf8(&size).ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or(io::ErrorKind::InvalidData)?;
        let Some(chunk) = take(size + 2)? else { return Ok(None) };
        asked.body.extend(&chunk[..size]);
        if size == 0 {
            return Ok(Some(asked));
        }
    }
}

fn fill_until(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
    has_ended: &dyn Fn() -> bool,
    enough: impl Fn(&[u8]) -> Option<usize>,
) -> io::Result<Option<usize>> {
    let mut piece = [0; 16 << 10];
    loop {
        if let Some(end) = enough(buffer) {
            return Ok(Some(end));
        }
        match stream.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(read) => buffer.extend_from_slice(&piece[..read]),
            Err(error) if !is_timeout(&error) => return Err(error),
            Err(_) if has_ended() => return Ok(None),
            Err(_) => {}
        }
    }
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
