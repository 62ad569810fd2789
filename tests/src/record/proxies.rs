//! The proxies before a recorder. Whatever name they are asked for, they dial the recorder: only the port counts.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::time::Duration;

use super::Shared;
use crate::http;

/// How a connection came through a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `http`, `https` or `socks5`.
    pub proxy: &'static str,
    /// `connect` or, for a plain server, `absolute`.
    pub manner: &'static str,
    /// `host:port` as the proxy was asked for it.
    pub target: String,
    /// What the proxy was given: the value of `Proxy-Authorization`, or `user:password` of SOCKS5.
    pub credentials: Option<String>,
}

/// `CONNECT`, or a request with an absolute target.
pub(super) fn http(mut client: impl Pipe, proxy: &'static str, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    let Some(asked) = http::read_request(&mut client, &mut buffer, &|| shared.has_ended())? else {
        return Ok(());
    };
    let credentials = asked.header("proxy-authorization").map(str::to_owned);
    let is_tunnel = asked.method == "CONNECT";
    let target = match asked.target.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default().to_owned(),
        None => asked.target.clone(),
    };
    let manner = if is_tunnel { "connect" } else { "absolute" };
    let mut server = dial(Via { proxy, manner, target, credentials }, shared)?;
    if is_tunnel {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    } else {
        server.write_all(asked.head.as_bytes())?;
        server.write_all(b"\r\n\r\n")?;
        server.write_all(&asked.body)?;
    }
    server.write_all(&buffer)?;
    splice(client, server, shared)
}

/// 407 to everybody.
pub(super) fn refuse(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    if http::read_request(&mut client, &mut Vec::new(), &|| shared.has_ended())?.is_some() {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// RFC 1928, with user and password (RFC 1929) where the client offers them.
pub(super) fn socks5(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    let [_, methods] = read(&mut client)?;
    let methods = read_some(&mut client, methods)?;
    let has_password = methods.contains(&2);
    client.write_all(&[5, if has_password { 2 } else { 0 }])?;
    let credentials = if has_password { Some(socks5_password(&mut client)?) } else { None };
    let [_, _, _, kind] = read(&mut client)?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(&mut client)?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(&mut client)?)),
        _ => {
            let [length] = read(&mut client)?;
            String::from_utf8_lossy(&read_some(&mut client, length)?).into_owned()
        }
    };
    let port = u16::from_be_bytes(read(&mut client)?);
    let target = format!("{host}:{port}");
    let server = dial(Via { proxy: "socks5", manner: "connect", target, credentials }, shared)?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    splice(client, server, shared)
}

fn socks5_password(client: &mut TcpStream) -> io::Result<String> {
    let [_, length] = read(client)?;
    let user = read_some(client, length)?;
    let [length] = read(client)?;
    let password = read_some(client, length)?;
    client.write_all(&[1, 0])?;
    Ok(format!("{}:{}", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password)))
}

fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).map(|()| bytes)
}

fn read_some(client: &mut TcpStream, length: u8) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    client.read_exact(&mut bytes).map(|()| bytes)
}

fn dial(via: Via, shared: &Shared) -> io::Result<TcpStream> {
    let (_, port) = via.target.rsplit_once(':').unwrap_or(("", "80"));
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let socket =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let socket = TcpStream::from(socket);
    // Before the other side can take the connection.
    shared.tunnels().push((socket.local_addr()?, via));
    rustix::net::connect(&socket, &std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A stream whose reads can be made to end soon.
pub(super) trait Pipe: Read + Write {
    fn hurry(&self) -> io::Result<()>;
}

/// How long one side is listened to before the other one is.
const TURN: Duration = Duration::from_millis(2);

impl Pipe for TcpStream {
    fn hurry(&self) -> io::Result<()> {
        self.set_read_timeout(Some(TURN))
    }
}

impl Pipe for super::TlsStream {
    fn hurry(&self) -> io::Result<()> {
        self.sock.hurry()
    }
}

/// Both directions by turns, since a TLS stream cannot be split.
fn splice(mut client: impl Pipe, mut server: TcpStream, shared: &Shared) -> io::Result<()> {
    client.hurry()?;
    server.hurry()?;
    let mut bytes = [0; 16 << 10];
    while !shared.has_ended() {
        if !carry(&mut client, &mut server, &mut bytes)? || !carry(&mut server, &mut client, &mut bytes)? {
            return Ok(());
        }
    }
    Ok(())
}

/// One piece, if there is one; false where `from` ended.
fn carry(from: &mut impl Read, to: &mut impl Write, bytes: &mut [u8]) -> io::Result<bool> {
    match from.read(bytes) {
        Ok(0) => Ok(false),
        Ok(length) => {
            to.write_all(&bytes[..length])?;
            to.flush().map(|()| true)
        }
        Err(error) if http::is_timeout(&error) => Ok(true),
        Err(error) => Err(error),
    }
}
