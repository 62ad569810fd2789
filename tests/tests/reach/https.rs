//! `wasi:http` over TLS: the server's certificate is checked against the system's authorities, and the transports' servers stay out of
//! reach.

use std::path::PathBuf;

use tidegate_tests::{Act, Manner, Outcome, Peer, Run, Shown};

use crate::With;

fn peer(shown: Shown) -> Peer {
    Peer::start(shown, Manner::Usual, |asked| asked.or_api(|| vec![Act::json("{}")]))
}

/// The guest gets `https://AUTHORITY/api`, where the system trusts this authority and no other.
fn get(trusted: PathBuf, authority: &str, flags: &str) -> Outcome {
    let run = Run::guest("probe-wasi-http").flags(flags).variable("SSL_CERT_FILE", trusted);
    run.argument(format!("https://{authority}")).run()
}

#[test]
fn what_is_granted_is_got_and_carries_no_credential() {
    let peer = peer(Shown::Good);
    let (address, trusted) = (peer.address(), peer.folder().join("ca.crt"));
    let localhost = format!("localhost:{}", peer.port());
    let rows = [
        (&address, format!("--wasi-net={address}")),
        (&address, format!("--wasi-net=127.0.0.0/8:{}", peer.port())),
        (&address, "--wasi-net".to_owned()),
        (&localhost, format!("--wasi-net={localhost}")),
    ];
    for (turn, (authority, flags)) in rows.into_iter().enumerate() {
        let outcome = get(trusted.clone(), authority, &flags).expect_code(1);
        assert_eq!(outcome.stdout.trim(), "got 200", "{authority}, {flags}: {outcome:?}");
        assert_eq!(peer.seen().len(), turn + 1, "{authority}, {flags}");
    }
    for asked in peer.seen() {
        assert_eq!((asked.target.as_str(), asked.header("authorization")), ("/api", None), "{asked:?}");
    }
}

#[test]
fn what_is_withheld_is_refused_before_any_connection() {
    let peer = peer(Shown::Good);
    let (address, trusted) = (peer.address(), peer.folder().join("ca.crt"));
    let localhost = format!("localhost:{}", peer.port());
    let rows = [
        (&address, "-A".to_owned()),
        (&address, format!("--wasi-net={localhost}")),
        (&address, "--wasi-net=127.0.0.1:1".to_owned()),
        (&address, format!("--wasi-net --deny-net={address}")),
        (&address, "--wasi-net --deny-net=127.0.0.0/8".to_owned()),
        (&localhost, format!("--wasi-net={address}")),
        (&localhost, "--wasi-net --deny-net=localhost".to_owned()),
        (&localhost, "--wasi-net --deny-net=127.0.0.0/8,::1".to_owned()),
    ];
    for (authority, flags) in rows {
        let outcome = get(trusted.clone(), authority, &flags).expect_code(0);
        assert!(outcome.stdout.starts_with("nothing: "), "{authority}, {flags}: {outcome:?}");
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_certificate_that_is_not_good_gets_no_request() {
    for shown in [Shown::OtherAuthority, Shown::SelfSigned, Shown::Expired, Shown::NotYet, Shown::OtherName] {
        let peer = peer(shown);
        let outcome = get(peer.folder().join("ca.crt"), &peer.address(), "--wasi-net").expect_code(0);
        assert!(outcome.stdout.starts_with("nothing: "), "{shown:?}: {outcome:?}");
        assert!(peer.connections() > 0 && peer.seen().is_empty(), "{shown:?}: {:?}", peer.seen());
    }
    let (good, other) = (peer(Shown::Good), peer(Shown::Good));
    let outcome = get(other.folder().join("ca.crt"), &good.address(), "--wasi-net").expect_code(0);
    assert!(outcome.stdout.starts_with("nothing: ") && good.seen().is_empty(), "{outcome:?}");
    let plain = peer(Shown::Plain);
    let outcome = get(good.folder().join("ca.crt"), &plain.address(), "--wasi-net").expect_code(0);
    assert!(outcome.stdout.starts_with("nothing: ") && plain.seen().is_empty(), "{outcome:?}");
}

/// A request of the guest's own would be answered there as one of nobody's, and might not be refused.
#[test]
fn the_servers_of_transports_are_out_of_reach_over_tls_too() {
    let peer = peer(Shown::Good);
    let localhost = format!("localhost:{}", peer.port());
    let rows: [(&str, &With); 5] = [
        ("of --kubeconfig", &|run| run.flag_path("--kubeconfig", &peer.kubeconfig())),
        ("of KUBECONFIG", &|run| run.variable("KUBECONFIG", peer.kubeconfig())),
        ("of --server", &|run| run.flag(format!("--server={}", peer.url()))),
        ("of --in-cluster-address", &|run| run.flag(format!("--in-cluster-address={}", peer.address()))),
        ("of --kubectl-proxy", &|run| run.flag(format!("--kubectl-proxy={}", peer.url()))),
    ];
    for (what, with) in rows {
        for authority in [peer.address(), localhost.clone(), format!("[::ffff:127.0.0.1]:{}", peer.port())] {
            for wasi in ["--wasi-net".to_owned(), format!("--wasi-net={authority}")] {
                let run = Run::guest("probe-wasi-http").flag("-A").flag(&wasi);
                let run = with(run).variable("SSL_CERT_FILE", peer.folder().join("ca.crt"));
                let outcome = run.argument(format!("https://{authority}")).run();
                assert!(outcome.stdout.starts_with("nothing: "), "{what}, {wasi}, {authority}: {outcome:?}");
            }
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}
