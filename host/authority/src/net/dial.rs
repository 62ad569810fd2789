//! Several addresses, the first that answers (RFC 8305, in small).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::net::sockopt;

use crate::net::stream::TcpStream;

/// How long one address may stay silent before the next is tried beside it. RFC 8305, section 5, recommends this.
const NEXT_ATTEMPT: Duration = Duration::from_millis(250);

/// After how much silence, and how often then, the kernel asks; it gives up after its own number of questions, nine on Linux.
/// client-go's `net.Dialer` has 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Dials the addresses in the resolver's order, families taking turns, the next one after a failure or a silence. The first
/// that answers wins and the others are dropped. Has no deadline: the caller's bounds it.
pub(crate) async fn dial(addresses: Vec<SocketAddr>) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let mut waiting = taking_turns(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(attempt(address));
        } else if attempts.is_empty() {
            return Err(failures);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(ended) = attempts.next() => match ended {
                Ok(stream) => return Ok(stream),
                Err(failure) => failures.push(failure),
            },
            () = tokio::time::sleep(NEXT_ATTEMPT), if more => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let connected = async {
        let stream = tokio::net::TcpStream::connect(address).await?;
        // Requests are small and a person waits for them: never hold them back for more to come.
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        Ok(TcpStream::new(stream, address))
    };
    connected.await.map_err(|error| (address, error))
}

/// Has the kernel ask a peer that is silent whether it is still there: a watch may wait for an hour, and a peer that lost its power,
/// or a firewall that forgot the connection, says nothing.
fn keep_alive(stream: &tokio::net::TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE)?;
    Ok(())
}

fn taking_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_family = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_family);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_from_the_resolvers_first_choice() {
        let all =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        for (given, expected) in [
            (&["[::1]:1", "[::2]:1", "1.1.1.1:1"][..], &["[::1]:1", "1.1.1.1:1", "[::2]:1"][..]),
            (&["1.1.1.1:1", "[::1]:1", "1.1.1.2:1"], &["1.1.1.1:1", "[::1]:1", "1.1.1.2:1"]),
            (&[], &[]),
        ] {
            assert_eq!(taking_turns(all(given)), all(expected));
        }
    }
}
