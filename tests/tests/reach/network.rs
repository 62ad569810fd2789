//! Sockets, look-ups and requests by `--wasi-net`, and the servers that stay the transports'.

use tidegate_tests::{Peer, Run};

use crate::{With, expect_got, plain_peer, probe};

#[test]
fn sockets_go_where_they_were_granted_and_nowhere_else() {
    let (ours, other) = (plain_peer(), plain_peer());
    let port = |peer: &Peer| peer.address().rsplit(':').next().unwrap().to_owned();
    let to_ours = format!("tcp:{}", ours.address());
    let to_other = format!("tcp:{}", other.address());
    let run = |flags: &str| {
        let run = probe().flag("-A").flags(flags).arguments(&[
            &to_ours,
            &to_other,
            "lookup:localhost",
            "listen:127.0.0.1:0",
        ]);
        run.argument(format!("tcp:[::ffff:127.0.0.1]:{}", port(&other))).run()
    };
    let (a, b) = (ours.address(), other.address());
    expect_got(&run(&format!("--wasi-net={a}")), &[&to_ours]);
    expect_got(&run(&format!("--wasi-net=127.0.0.0/8:{}", port(&ours))), &[&to_ours]);
    expect_got(&run(&format!("--wasi-net=127.0.0.1 --deny-net={b}")), &[&to_ours]);
    expect_got(&run("--wasi-net --deny-net=127.0.0.0/8,localhost"), &[]);
    expect_got(&run("--wasi-net --deny-net"), &[]);
    expect_got(&run(&format!("--wasi-net=localhost:{}", port(&ours))), &["lookup:localhost"]);
    assert_eq!(other.connections(), 0, "{:?}", other.seen());

    let http = |flags: &str, to: &Peer| {
        Run::guest("probe-wasi-http").flag("-A").flags(flags).argument(to.address()).run()
    };
    assert_eq!(http(&format!("--wasi-net={a}"), &ours).expect_code(1).stdout.trim(), "got 200");
    for flags in ["", &format!("--wasi-net={a}"), &format!("--wasi-net --deny-net={b}")] {
        assert!(http(flags, &other).expect_code(0).stdout.starts_with("nothing: "), "{flags}");
    }
    assert_eq!(other.connections(), 0);
    assert!(ours.seen().iter().all(|asked| asked.header("authorization").is_none()), "{:?}", ours.seen());
}

/// A guest that could speak to the server by itself could do there what its handle does not let it.
#[test]
fn the_servers_of_transports_are_out_of_reach() {
    let peer = plain_peer();
    let localhost = peer.address().replace("127.0.0.1", "localhost");
    let config =
        peer.write("other", &peer.kubeconfig_with("{token: x}").replace(&peer.address(), &localhost));
    let elsewhere = |user: &str, more: &str| {
        let ours = format!("server: '{}'", peer.url());
        peer.kubeconfig_with(user).replace(&ours, &format!("{more}server: 'https://cluster.test:6443'"))
    };
    let proxy = format!("proxy-url: 'http://user:word@{}', ", peer.address());
    let proxied = peer.write("proxied", &elsewhere("{token: x}", &proxy));
    let issuer = format!("{{auth-provider: {{name: oidc, config: {{idp-issuer-url: '{}'}}}}}}", peer.url());
    let issued = peer.write("issued", &elsewhere(&issuer, ""));
    let rows: [(&str, &With); 10] = [
        ("of --kubeconfig", &|run| run.flag_path("--kubeconfig", &peer.kubeconfig())),
        ("of KUBECONFIG", &|run| run.variable("KUBECONFIG", peer.kubeconfig())),
        ("by its other name", &|run| run.flag_path("--kubeconfig", &config)),
        ("of --server", &|run| run.flag(format!("--server={}", peer.url()))),
        ("of --proxy-url", &|run| run.flag(format!("--proxy-url=http://{}", peer.address()))),
        ("of --in-cluster-address", &|run| run.flag(format!("--in-cluster-address={}", peer.address()))),
        ("of proxy-url", &|run| run.flag_path("--kubeconfig", &proxied)),
        ("of an issuer", &|run| run.flag_path("--kubeconfig", &issued)),
        ("of HTTPS_PROXY", &|run| run.variable("HTTPS_PROXY", peer.url())),
        ("of --kubectl-proxy", &|run| run.flag(format!("--kubectl-proxy={}", peer.url()))),
    ];
    for (what, with) in rows {
        for wasi in
            ["--wasi-net", "--wasi-net=127.0.0.0/8,localhost", &format!("--wasi-net={}", peer.address())]
        {
            println!("{what}, {wasi}");
            let run = with(probe().flag("-A").flag(wasi));
            let outcome = run
                .arguments(&[&format!("tcp:{}", peer.address()), &format!("udp:{}", peer.address())])
                .run();
            expect_got(&outcome, &[]);
            for authority in [peer.address(), localhost.clone()] {
                let outcome =
                    with(Run::guest("probe-wasi-http").flag("-A").flag(wasi)).argument(authority).run();
                assert!(outcome.stdout.starts_with("nothing: "), "{what}, {wasi}: {outcome:?}");
            }
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

/// However the address is written: the system takes the unspecified one for this machine as well.
#[test]
fn no_spelling_of_an_address_gets_a_request_past_a_denial_or_to_a_server() {
    let peer = plain_peer();
    let port = peer.address().rsplit(':').next().unwrap().to_owned();
    let server = format!("--wasi-net --kubectl-proxy={}", peer.url());
    for flags in ["--wasi-net --deny-net=127.0.0.0/8,localhost", server.as_str()] {
        for host in [
            "127.1",
            "2130706433",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "LOCALHOST",
            "0.0.0.0",
            "0",
        ] {
            let outcome = Run::guest("probe-wasi-http").flags(flags).argument(format!("{host}:{port}")).run();
            assert!(outcome.stdout.starts_with("nothing: "), "{host}, {flags}: {outcome:?}");
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}
