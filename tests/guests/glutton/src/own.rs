//! What it opens by itself, through WASI.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingBody, IncomingResponse, OutgoingRequest, Scheme};
use wasip2::io::streams::{InputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
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

/// The same file again and again, of which it keeps a stream and not the descriptor.
pub(crate) fn file_streams(count: usize) -> Result<(), String> {
    // Folders that it was given are no more open for being asked after.
    let given: Vec<_> = (0..100).map(|_| get_directories()).collect();
    let folder = &given[0][0].0;
    let one = || {
        let file = folder.open_at(PathFlags::empty(), "file", OpenFlags::empty(), DescriptorFlags::READ)?;
        file.read_via_stream(0)
    };
    let mut held = Vec::new();
    for opened in 0..count {
        held.push(one().map_err(|error| format!("{error:?} after {opened}"))?);
    }
    println!("{} open", held.len());
    drop(held);
    one().map(drop).map_err(|error| format!("again: {error:?}"))
}

/// Requests with as much of a body as may be written before they are sent, which they never are.
pub(crate) fn unsent(count: usize) -> Result<(), String> {
    let mut held = Vec::new();
    for made in 0..count {
        let request = OutgoingRequest::new(Fields::new());
        let body = request.body().map_err(|()| format!("no body after {made}"))?;
        let stream = body.write().map_err(|()| "the stream was taken")?;
        loop {
            match stream.check_write().map_err(|error| format!("{error:?}"))? {
                0 => break,
                piece => stream.write(&vec![b'x'; piece as usize]).map_err(|error| format!("{error:?}"))?,
            }
        }
        held.push(request);
        println!("{made}");
    }
    println!("{} made", held.len());
    Ok(())
}

/// Fields of 24 KiB each.
pub(crate) fn fields(count: usize) -> Result<(), String> {
    let mut held = Vec::new();
    for made in 0..count {
        let fields = Fields::new();
        for _ in 0..6 {
            fields.append("x", &[b'x'; 4 << 10]).map_err(|error| format!("{error:?}"))?;
        }
        held.push(fields);
        println!("{made}");
    }
    println!("{} made", held.len());
    Ok(())
}

/// Looks up so many names at once, and keeps none.
pub(crate) fn names(count: usize) -> Result<(), String> {
    let network = instance_network();
    let asked = |asked: usize| {
        let name = resolve_addresses(&network, "localhost");
        name.map_err(|error| format!("{error:?} after {asked}"))
    };
    let asked = (0..count).map(asked).collect::<Result<Vec<_>, _>>()?;
    for name in &asked {
        name.subscribe().block();
        name.resolve_next_address().map_err(|error| format!("{error:?}"))?;
    }
    println!("{count} found");
    Ok(())
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
