//! What a resolver could try. The resolver is injected here and nowhere else.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_grants::{Endpoint, Grants, Kind};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;

use crate::authority::Authority;
use crate::environment::Environment;
use crate::needs::Needs;
use crate::net::{ConnectFailure, NetGrant, Resolver, system_resolver};

/// Answers one list after the other, the last one for ever, and counts.
fn answers(lists: Vec<Vec<SocketAddr>>) -> (Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let resolver: Resolver = Arc::new(move |_, _| {
        let turn = counter.fetch_add(1, Ordering::SeqCst).min(lists.len() - 1);
        let list = lists[turn].clone();
        Box::pin(async move { Ok(list) })
    });
    (resolver, asked)
}

fn grant(allow: &str, deny: Option<&str>, endpoint: &str, resolver: Resolver) -> NetGrant {
    let mut builder = Grants::builder();
    builder.allow(Kind::Net, Some(allow)).unwrap();
    if deny.is_some() {
        builder.deny(Kind::Net, deny).unwrap();
    }
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let authority = Authority::assemble(builder.build(), Environment::new([]), resolver);
    authority.approve(&Needs::new().net(endpoint.clone())).unwrap().net(&endpoint).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn sees_a_connection(listener: &TcpListener) -> bool {
    tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_ok()
}

#[tokio::test]
async fn the_address_dialled_is_the_one_that_was_checked() {
    let (good, good_address) = listener().await;
    let (evil, evil_address) = listener().await;
    // The name rebinds between two look-ups: a check and a dial that each looked it up would come apart.
    let (resolver, asked) = answers(vec![vec![good_address], vec![evil_address]]);
    let endpoint = format!("k8s.corp:{}", good_address.port());
    let grant = grant("k8s.corp,127.0.0.1", None, &endpoint, resolver);
    let stream = grant.connect(soon()).await.unwrap();
    assert_eq!(stream.peer(), good_address);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one connection, one look-up");
    assert!(sees_a_connection(&good).await);
    assert!(!sees_a_connection(&evil).await);
}

#[tokio::test]
async fn a_name_that_rebinds_to_this_machine_is_refused() {
    let (inner, address) = listener().await;
    let metadata = "169.254.169.254:80".parse().unwrap();
    let mapped = format!("[::ffff:127.0.0.1]:{}", address.port()).parse().unwrap();
    for list in [vec![address], vec![mapped], vec![metadata], vec![address, mapped, metadata]] {
        let (resolver, asked) = answers(vec![list.clone()]);
        let grant = grant("k8s.corp", None, &format!("k8s.corp:{}", address.port()), resolver);
        let error = grant.connect(soon()).await.unwrap_err();
        assert!(error.is_refused(), "{list:?}: {error}");
        assert!(error.to_string().contains("run again with --allow-net=1"), "{error}");
        assert!(!error.missing().is_empty());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    assert!(!sees_a_connection(&inner).await);
}

#[tokio::test]
async fn refused_addresses_are_left_out_and_the_others_dialled() {
    let (denied, denied_address) = listener().await;
    let port = denied_address.port();
    let Ok(admitted) = TcpListener::bind(("127.0.0.2", port)).await else { return };
    let list = vec![denied_address, SocketAddr::from(([127, 0, 0, 2], port)), denied_address];
    let (resolver, _) = answers(vec![list]);
    let grant = grant("k8s.corp,127.0.0.0/8", Some("127.0.0.1"), &format!("k8s.corp:{port}"), resolver);
    assert_eq!(grant.connect(soon()).await.unwrap().peer(), admitted.local_addr().unwrap());
    assert!(!sees_a_connection(&denied).await);
}

#[tokio::test]
async fn an_address_that_refuses_gives_way_to_the_next() {
    let (gone, dead) = listener().await;
    drop(gone);
    let live = TcpListener::bind(("127.0.0.3", dead.port())).await.unwrap();
    let live_address = live.local_addr().unwrap();
    let (resolver, _) = answers(vec![vec![dead, live_address]]);
    let grant = grant("k8s.corp,127.0.0.0/8", None, &format!("k8s.corp:{}", dead.port()), resolver);
    assert_eq!(grant.connect(soon()).await.unwrap().peer(), live_address);
}

#[tokio::test]
async fn a_silent_address_does_not_hold_up_the_next() {
    let (_full, silent, _held) = silent().await;
    let live = TcpListener::bind(("127.0.0.4", silent.port())).await.unwrap();
    let live_address = live.local_addr().unwrap();
    let (resolver, _) = answers(vec![vec![silent, live_address]]);
    let grant = grant("k8s.corp,127.0.0.0/8", None, &format!("k8s.corp:{}", silent.port()), resolver);
    let started = Instant::now();
    assert_eq!(grant.connect(soon()).await.unwrap().peer(), live_address);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_deadline_covers_resolving_and_dialling() {
    let deadline = || Instant::now() + Duration::from_millis(200);
    let never: Resolver = Arc::new(|_, _| Box::pin(pending()));
    let error = grant("k8s.corp", None, "k8s.corp:1", never).connect(deadline()).await.unwrap_err();
    assert!(matches!(error.failure(), ConnectFailure::ResolveTimeout) && error.is_timeout(), "{error:?}");

    let (_full, silent, _held) = silent().await;
    let (resolver, _) = answers(vec![vec![silent]]);
    let grant = grant("k8s.corp,127.0.0.1", None, &format!("k8s.corp:{}", silent.port()), resolver);
    let error = grant.connect(deadline()).await.unwrap_err();
    assert!(matches!(error.failure(), ConnectFailure::DialTimeout) && error.is_timeout(), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("connect to \"k8s.corp:{}\": timed out while dialling", silent.port())
    );
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let (resolver, _) = answers(vec![vec![]]);
    let error = grant("k8s.corp", None, "k8s.corp:1", resolver).connect(soon()).await.unwrap_err();
    assert_eq!(error.to_string(), "connect to \"k8s.corp:1\": the name has no address");
}

/// A listener whose backlog is full, so that a further connection gets no answer at all.
async fn silent() -> (TcpListener, SocketAddr, Vec<tokio::task::JoinHandle<()>>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let hold = move || {
        tokio::spawn(async move {
            let _held = tokio::net::TcpStream::connect(address).await;
            pending::<()>().await;
        })
    };
    let held = (0..4).map(|_| hold()).collect();
    // Long enough for the loopback handshakes that the backlog still takes.
    tokio::time::sleep(Duration::from_millis(100)).await;
    (listener, address, held)
}

#[tokio::test]
async fn a_guest_reaches_what_wasi_net_grants_and_never_a_transports_endpoint() {
    let (api, api_address) = listener().await;
    let port = api_address.port();
    let open = TcpListener::bind(("127.0.0.5", port)).await.unwrap();
    let open_address = open.local_addr().unwrap();
    let resolver: Resolver = Arc::new(move |name, _| {
        Box::pin(async move {
            Ok(if name == "open.corp" { vec![open_address, api_address] } else { vec![api_address] })
        })
    });
    let mut builder = Grants::builder();
    builder.allow(Kind::Net, None).unwrap().wasi(Kind::Net, Some("*.corp,127.0.0.0/8")).unwrap();
    let authority = Authority::assemble(builder.build(), Environment::new([]), resolver);
    let endpoint = |host: &str| Endpoint::parse(&format!("{host}:{port}")).unwrap();
    let guest = authority.guest_net(vec![endpoint("kubernetes.corp")]);

    let stream = guest.connect(&endpoint("open.corp"), soon()).await.unwrap();
    assert_eq!(stream.peer(), open_address, "of two addresses, the one that no transport uses");
    for host in
        ["kubernetes.corp", "alias.corp", "127.0.0.1", "[::ffff:127.0.0.1]", "not-granted.org", "192.0.2.1"]
    {
        let error = guest.connect(&endpoint(host), soon()).await.unwrap_err();
        assert!(matches!(error.failure(), ConnectFailure::NotTheGuests), "{host}: {error:?}");
        assert!(!guest.admits(&endpoint(host), api_address.ip()).await, "{host}");
    }
    assert!(guest.admits(&endpoint("127.0.0.5"), open_address.ip()).await);
    assert!(!sees_a_connection(&api).await);

    let host = |text: &str| tidegate_grants::Host::parse(text).unwrap();
    assert_eq!(guest.resolve(&host("alias.corp"), soon()).await.unwrap(), [api_address.ip()]);
    assert!(guest.resolve(&host("not-granted.org"), soon()).await.unwrap_err().is_refused());
}

/// A `kubectl proxy` on loopback serves whoever reaches it.
#[tokio::test]
async fn a_guest_reaches_no_loopback_of_a_transport_by_the_unspecified_address() {
    let grants = Grants::builder().wasi(Kind::Net, None).unwrap().build();
    let authority = Authority::assemble(grants, Environment::new([]), system_resolver());
    for (bind, protected, asked) in [
        ("127.0.0.1:0", "localhost", "0.0.0.0"),
        ("127.0.0.1:0", "127.0.0.1", "0.0.0.0"),
        ("127.0.0.1:0", "127.0.0.1", "[::ffff:0.0.0.0]"),
        ("127.0.0.1:0", "0.0.0.0", "127.0.0.1"),
        ("[::1]:0", "localhost", "[::]"),
        ("[::1]:0", "[::]", "[::1]"),
    ] {
        let Ok(proxy) = TcpListener::bind(bind).await else { continue };
        let port = proxy.local_addr().unwrap().port();
        let endpoint = |host: &str| Endpoint::parse(&format!("{host}:{port}")).unwrap();
        let guest = authority.guest_net(vec![endpoint(protected)]);
        let error = guest.connect(&endpoint(asked), soon()).await.err();
        assert!(error.is_some_and(|error| error.is_refused()), "{asked} reaches {protected}");
        assert!(!sees_a_connection(&proxy).await, "{asked} reaches {protected}");
        let address = asked.trim_matches(['[', ']']).parse().unwrap();
        assert!(!guest.admits(&endpoint(asked), address).await, "{asked} reaches {protected}");
    }
}
