//! What it opens by itself, through WASI.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingBody, IncomingResponse, OutgoingRequest, Scheme};
use wasip2::io::streams::{InputStream, StreamError};
use wasip2::sockets::network::{ErrorCode, IpAddressFamily};
use wasip2::sockets::tcp_create_socket::{TcpSocket, create_tcp_socket};
use wasip2::sockets::udp_create_socket::{UdpSocket, create_udp_socket};

/// The same file, again and again.
pub(crate) fn files(folder: &str, count: usize) -> Result<(), String> {
    let mut held = Vec::new();
    for opened in 0..count {
        let file = std::fs::File::open(format!("{folder}/file"));
        held.push(file.map_err(|error| format!("{error} after {opened}"))?);
    }
    println!("{} open", held.len());
    drop(held);
    std::fs::File::open(format!("{folder}/file")).map(drop).map_err(|error| format!("again: {error}"))
}

pub(crate) fn tcp() -> Result<TcpSocket, ErrorCode> {
    create_tcp_socket(IpAddressFamily::Ipv4)
}

pub(crate) fn udp() -> Result<UdpSocket, ErrorCode> {
    create_udp_socket(IpAddressFamily::Ipv4)
}

pub(crate) fn sockets<T>(count: usize, one: impl Fn() -> Result<T, ErrorCode>) -> Result<(), String> {
    let mut held = Vec::new();
    for opened in 0..count {
        held.push(one().map_err(|error| format!("{error:?} after {opened}"))?);
    }
    println!("{} open", held.len());
    drop(held);
    one().map(drop).map_err(|error| format!("again: {error:?}"))
}

/// Asks one server, and reads and keeps every answer.
pub(crate) fn web(authority: &str, path: &str, count: usize) -> Result<(), String> {
    let mut held = Vec::new();
    for asked in 0..count {
        let answer = get(authority, path).map_err(|why| format!("{why} after {asked}"))?;
        read(&answer.0).map_err(|why| format!("{why} after {asked}"))?;
        held.push(answer);
    }
    println!("{} asked", held.len());
    Ok(())
}

/// What is read, before what it is read from: in this order they may be dropped.
type Answer = (InputStream, IncomingBody, IncomingResponse);

fn get(authority: &str, path: &str) -> Result<Answer, String> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| "the scheme is refused")?;
    request.set_authority(Some(authority)).map_err(|()| "the authority is refused")?;
    request.set_path_with_query(Some(path)).map_err(|()| "the path is refused")?;
    let pending = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    pending.subscribe().block();
    let response = match pending.get() {
        Some(Ok(response)) => response.map_err(|code| format!("{code:?}"))?,
        Some(Err(())) | None => return Err("no response".to_owned()),
    };
    let body = response.consume().map_err(|()| "the body was taken")?;
    let stream = body.stream().map_err(|()| "the stream was taken")?;
    Ok((stream, body, response))
}

/// One piece of what never ends, else all.
fn read(stream: &InputStream) -> Result<(), String> {
    for piece in 0.. {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) if piece == 0 && bytes.starts_with(b"line") => break,
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    Ok(())
}
