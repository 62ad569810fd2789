//! Tries what WASI offers to guests, and says what it got: without `--wasi-*` flags, nothing.
//!
//! ```text
//! probe-wasi [ATTEMPT…]
//! ```
//!
//! Attempts: `list:PATH`, `read:PATH`, `write:PATH`, `env:NAME`, `envs`, `preopens`, `lookup:NAME`, `tcp:ADDRESS:PORT`, `listen:ADDRESS:PORT`,
//! `udp:ADDRESS:PORT`; without arguments, some of each. A line each: `got ATTEMPT: what`, or `nothing ATTEMPT: why`. Exit code 1 if it got
//! anything. `wasi:http` is another program, `probe-wasi-http`: a host may refuse to load what imports it.

use std::net::SocketAddr;

use wasip2::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

const USUAL: &[&str] = &[
    "preopens",
    "envs",
    "env:HOME",
    "env:PATH",
    "list:/",
    "list:.",
    "read:/etc/passwd",
    "read:/proc/self/environ",
    "write:/tmp/probe-wasi",
    "lookup:localhost",
    "lookup:kubernetes.default.svc",
    "tcp:127.0.0.1:6443",
    "tcp:127.0.0.1:8001",
    "tcp:[::1]:6443",
    "listen:127.0.0.1:0",
    "udp:127.0.0.1:53",
];

fn main() {
    let mut attempts: Vec<String> = std::env::args().skip(1).collect();
    if attempts.is_empty() {
        attempts = USUAL.iter().map(|&attempt| attempt.to_owned()).collect();
    }
    let mut got = 0;
    for attempt in &attempts {
        match try_to(attempt) {
            Ok(what) => {
                got += 1;
                println!("got {attempt}: {what}");
            }
            Err(why) => println!("nothing {attempt}: {why}"),
        }
    }
    std::process::exit(i32::from(got > 0));
}

fn try_to(attempt: &str) -> Result<String, String> {
    let (what, value) = attempt.split_once(':').unwrap_or((attempt, ""));
    match what {
        "preopens" => some(wasip2::filesystem::preopens::get_directories().into_iter().map(|(_, path)| path)),
        "envs" => some(std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned())),
        "env" => std::env::var(value).map_err(|error| error.to_string()),
        "list" => {
            let entries = std::fs::read_dir(value).map_err(|error| error.to_string())?;
            Ok(format!("{} entries", entries.count()))
        }
        "read" => Ok(format!("{} bytes", std::fs::read(value).map_err(|error| error.to_string())?.len())),
        "write" => {
            std::fs::write(value, "probe").map(|()| "written".to_owned()).map_err(|error| error.to_string())
        }
        "lookup" => lookup(value),
        "tcp" => tcp(address(value)?, Side::Connect),
        "listen" => tcp(address(value)?, Side::Listen),
        "udp" => udp(address(value)?),
        _ => Err("no such attempt".to_owned()),
    }
}

fn some(all: impl Iterator<Item = String>) -> Result<String, String> {
    let all: Vec<String> = all.collect();
    if all.is_empty() { Err("none".to_owned()) } else { Ok(all.join(" ")) }
}

fn lookup(name: &str) -> Result<String, String> {
    let addresses =
        ip_name_lookup::resolve_addresses(&instance_network::instance_network(), name).map_err(told)?;
    let (ready, mut found) = (addresses.subscribe(), Vec::new());
    while let Some(address) = finish(|| addresses.resolve_next_address(), || ready.block())? {
        found.push(format!("{address:?}"));
    }
    some(found.into_iter())
}

enum Side {
    Connect,
    Listen,
}

fn tcp(address: IpSocketAddress, side: Side) -> Result<String, String> {
    let network = instance_network::instance_network();
    let socket = tcp_create_socket::create_tcp_socket(family(&address)).map_err(told)?;
    let ready = socket.subscribe();
    match side {
        Side::Connect => {
            socket.start_connect(&network, address).map_err(told)?;
            finish(|| socket.finish_connect(), || ready.block()).map(|_| "connected".to_owned())
        }
        Side::Listen => {
            socket.start_bind(&network, address).map_err(told)?;
            finish(|| socket.finish_bind(), || ready.block())?;
            socket.start_listen().map_err(told)?;
            finish(|| socket.finish_listen(), || ready.block()).map(|()| "listening".to_owned())
        }
    }
}

fn udp(address: IpSocketAddress) -> Result<String, String> {
    let network = instance_network::instance_network();
    let socket = udp_create_socket::create_udp_socket(family(&address)).map_err(told)?;
    let any = match address {
        IpSocketAddress::Ipv4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        IpSocketAddress::Ipv6(_) => SocketAddr::from(([0u16; 8], 0)),
    };
    let ready = socket.subscribe();
    socket.start_bind(&network, wasi(any)).map_err(told)?;
    finish(|| socket.finish_bind(), || ready.block())?;
    let (_incoming, outgoing) = socket.stream(Some(address)).map_err(told)?;
    outgoing.check_send().map_err(told)?;
    let datagram = wasip2::sockets::udp::OutgoingDatagram { data: b"probe".to_vec(), remote_address: None };
    outgoing.send(&[datagram]).map(|sent| format!("{sent} datagrams sent")).map_err(told)
}

fn finish<T>(mut step: impl FnMut() -> Result<T, ErrorCode>, wait: impl Fn()) -> Result<T, String> {
    loop {
        match step() {
            Err(ErrorCode::WouldBlock) => wait(),
            done => return done.map_err(told),
        }
    }
}

fn told(code: ErrorCode) -> String {
    code.name().to_owned()
}

fn address(text: &str) -> Result<IpSocketAddress, String> {
    text.parse::<SocketAddr>().map(wasi).map_err(|error| error.to_string())
}

fn wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: v4.port(), address: (a, b, c, d) })
        }
        SocketAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.ip().segments();
            let address = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port: v6.port(), flow_info: 0, address, scope_id: 0 })
        }
    }
}

fn family(address: &IpSocketAddress) -> IpAddressFamily {
    match address {
        IpSocketAddress::Ipv4(_) => IpAddressFamily::Ipv4,
        IpSocketAddress::Ipv6(_) => IpAddressFamily::Ipv6,
    }
}
