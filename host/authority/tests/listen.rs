//! Listening is judged before, and what the system chose after.

use std::net::{SocketAddr, TcpStream};

use tidegate_authority::{Authority, ListenError, Needs};
use tidegate_grants::{Grants, Kind};

fn authority(allow: Option<&str>, deny: Option<&str>) -> Authority {
    let mut builder = Grants::builder();
    builder.allow(Kind::Listen, allow).unwrap();
    if let Some(deny) = deny {
        builder.deny(Kind::Listen, Some(deny)).unwrap();
    }
    Authority::from_ambient(builder.build())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn an_address_that_was_not_granted_is_refused_with_its_flag() {
    for (allow, deny, at, flag) in [
        (Some("127.0.0.1:80"), None, "127.0.0.1:81", Some("--allow-listen=127.0.0.1:81")),
        (Some("127.0.0.1:80"), None, "[::1]:80", Some("'--allow-listen=[::1]:80'")),
        (Some("127.0.0.1:80"), None, "127.0.0.1:0", Some("--allow-listen=127.0.0.1")),
        (None, Some("127.0.0.0/8"), "127.0.0.1:80", None),
        (None, Some("192.0.2.1"), "0.0.0.0:80", None),
        (None, Some("192.0.2.1"), "[::]:80", None),
    ] {
        let denied = authority(allow, deny).approve(&Needs::new().listen(address(at))).unwrap_err();
        assert_eq!(denied.flags(), flag.into_iter().collect::<Vec<_>>(), "{at}: {denied}");
    }
    // What is no part of the round cannot be had.
    let approved = authority(None, None).approve(&Needs::new().listen(address("127.0.0.1:0"))).unwrap();
    assert!(approved.listen(address("127.0.0.1:80")).is_none());
}

#[tokio::test]
async fn connections_are_accepted_until_the_listener_is_dropped() {
    let any = address("127.0.0.1:0");
    let approved = authority(Some("localhost"), None).approve(&Needs::new().listen(any)).unwrap();
    let listener = approved.listen(any).unwrap().listen().await.unwrap();
    let chosen = listener.address();
    let client = TcpStream::connect(chosen).unwrap();
    let served = listener.accept().await.unwrap();
    assert_eq!(served.peer(), client.local_addr().unwrap());

    let again = authority(None, None).approve(&Needs::new().listen(chosen)).unwrap();
    let taken = again.listen(chosen).unwrap().listen().await.unwrap_err();
    assert!(matches!(taken, ListenError::Bind { .. }), "{taken}");
    assert_eq!(taken.to_string(), format!("cannot listen on {chosen}"));
    drop(listener);
    assert!(TcpStream::connect(chosen).is_err());

    served.writable().await.unwrap();
    assert_eq!(served.try_write(b"hello").unwrap(), 5);
    served.shut_down_writing().unwrap();
    let mut heard = String::new();
    std::io::Read::read_to_string(&mut &client, &mut heard).unwrap();
    assert_eq!(heard, "hello");
}
