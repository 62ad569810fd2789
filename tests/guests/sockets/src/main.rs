//! A guest on the bare WIT that listens: `sockets ADDRESS`. It serves three connections, one after another, and says what it does.

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod wit {
    wit_bindgen::generate!({ world: "tidegate:host/imports", path: "../../../wit", generate_all });
}

use wit::tidegate::host::listen::{Listener, Socket, listen};
use wit::tidegate::host::poll::poll;
use wit::tidegate::host::types::Error;

/// How much the third connection is sent.
const FLOOD: usize = 16 << 20;

fn main() {
    let address = std::env::args().nth(1).unwrap_or_default();
    let listener = listen(&address).unwrap_or_else(|error| panic!("{}", shown(&error)));
    println!("listens {}", listener.address());
    echo(&accept(&listener));
    drop_in_any_order(accept(&listener));
    flood(&accept(&listener));
    let (own, readiness) = (listener.address(), listener.subscribe());
    println!("nobody {}", listener.try_accept().is_none());
    println!("taken {}", listen(&own).map_or_else(|error| error.code(), |_| "ok".to_owned()));
    drop(listener);
    println!("dropped {}", readiness.ready());
    println!("again {}", listen(&own).map_or_else(|error| shown(&error), |_| "ok".to_owned()));
}

fn shown(error: &Error) -> String {
    format!("{}: {}", error.code(), error.message())
}

/// Waits by polling, as one who waits for other things too.
fn accept(listener: &Listener) -> Socket {
    loop {
        if let Some(accepted) = listener.try_accept() {
            return accepted.unwrap_or_else(|error| panic!("{}", shown(&error)));
        }
        poll(&[&listener.subscribe()]);
    }
}

/// Gives back what comes until nothing more does.
fn echo(socket: &Socket) {
    let mut length = 0;
    while let Some(bytes) = socket.next().unwrap_or_else(|error| panic!("{}", shown(&error))) {
        length += bytes.len();
        socket.write(&bytes).unwrap_or_else(|error| panic!("{}", shown(&error)));
    }
    println!("echoed {length} {}", socket.finish().is_ok());
    println!("end stays {}", matches!(socket.next(), Ok(None)));
    println!("after the end {}", socket.write(b"x").map_or_else(|error| error.code(), |()| "ok".to_owned()));
}

/// What is waited for may go first.
fn drop_in_any_order(socket: Socket) {
    let (read, write) = (socket.subscribe(), socket.subscribe_write());
    println!("silent {} {}", read.ready(), write.ready());
    drop(socket);
    println!("ready {:?}", poll(&[&read, &write, &read]));
}

/// Sends more than the other side takes by itself, without waiting in a write.
fn flood(socket: &Socket) {
    let (piece, mut sent, mut held) = (vec![7; 1 << 20], 0, false);
    while sent < FLOOD {
        let rest = &piece[..piece.len().min(FLOOD - sent)];
        match socket.try_write(rest).unwrap_or_else(|error| panic!("{}", shown(&error))) {
            0 => {
                if !held {
                    println!("held back");
                }
                held = true;
                socket.subscribe_write().block();
            }
            taken => sent += taken as usize,
        }
    }
    println!("sent {sent} {}", socket.finish().is_ok());
}
