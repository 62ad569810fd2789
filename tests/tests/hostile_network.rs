//! One address has many spellings and many names: a grant of one is no grant of another, and no spelling gets past a denial.
// A name whose answer changes between check and dial needs a DNS server of the test's own: see `enforcement`.

use tidegate_tests::{Act, Manner, Outcome, Peer, Run, Shown};

fn peer() -> Peer {
    Peer::start(Shown::Plain, Manner::Usual, |asked| asked.or_api(|| vec![Act::json("{}")]))
}

fn port(peer: &Peer) -> String {
    peer.address().rsplit(':').next().unwrap().to_owned()
}

/// A guest asks for `http://HOST:PORT`, with these flags, in which `PORT` stands for the peer's.
fn ask(peer: &Peer, host: &str, flags: &str) -> Outcome {
    let flags = flags.replace("PORT", &port(peer));
    let via = format!("kubectl-proxy=http://{host}:{}", port(peer));
    Run::guest("ask").flags(&flags).arguments(&["--via", &via, "/x"]).flag("--probe-deadline=2s").run()
}

/// How the loopback address can be written, as the system's resolver and people do.
const SPELLINGS: [&str; 15] = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
];

#[test]
fn no_spelling_gets_past_a_denied_address() {
    let peer = peer();
    for flags in [
        "--allow-net --deny-net=127.0.0.0/8",
        "--allow-net --deny-net=127.0.0.1",
        "--allow-net --deny-net=127.0.0.1:PORT",
        "-A --deny-net=127.0.0.0/8:PORT",
        "--allow-net --deny-net",
    ] {
        for host in SPELLINGS {
            let outcome = ask(&peer, host, flags);
            assert_eq!(outcome.code(), 3, "{host}, {flags}: {outcome:?}");
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

/// The system takes it for the loopback address.
#[test]
fn the_unspecified_address_gets_past_no_denial_of_this_machine() {
    let peer = peer();
    for host in ["0.0.0.0", "0", "0x0", "[::ffff:0.0.0.0]", "[::ffff:0:0]"] {
        for flags in ["--allow-net --deny-net=127.0.0.0/8", "-A --deny-net=127.0.0.1:PORT"] {
            let outcome = ask(&peer, host, flags);
            assert_eq!(outcome.code(), 3, "{host}, {flags}: {outcome:?}");
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

#[test]
fn a_grant_is_of_what_it_names() {
    let peer = peer();
    let rows: [(&str, &[&str]); 9] = [
        (
            "--allow-net=127.0.0.1:PORT",
            &["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"],
        ),
        (
            "--allow-net=127.0.0.0/8:PORT",
            &["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"],
        ),
        (
            "--allow-net=[::ffff:127.0.0.1]:PORT",
            &["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"],
        ),
        ("--allow-net=localhost:PORT", &["localhost", "LOCALHOST", "localhost."]),
        ("--allow-net=LocalHost.:PORT", &["localhost", "LOCALHOST", "localhost."]),
        ("--allow-net=*.localhost:PORT", &["a.localhost"]),
        ("--allow-net=localhost:1", &[]),
        ("--allow-net=10.0.0.0/8", &[]),
        ("", &[]),
    ];
    for (flags, reached) in rows {
        for host in SPELLINGS {
            let outcome = ask(&peer, host, flags);
            let is_reached = outcome.code() == 0;
            // Whether a name below localhost resolves at all is the system's choice.
            let expected = reached.contains(&host) && (host != "a.localhost" || is_reached);
            assert_eq!(is_reached, expected, "{host}, {flags}: {outcome:?}");
            if !is_reached && host != "a.localhost" {
                let refused = ["error permission-denied: ", "error not-configured: "];
                assert!(
                    refused.iter().any(|code| outcome.stdout.starts_with(code)),
                    "{host}, {flags}: {outcome:?}"
                );
            }
        }
    }
}

/// A name was granted, and leads to this machine: whoever answers for the name does not get to choose that.
#[test]
fn a_name_that_leads_to_this_machine_is_not_granted_by_the_name() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let name = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter(|line| line.starts_with("127."))
        .flat_map(|line| line.split_whitespace().skip(1))
        .find(|name| *name != "localhost" && !name.ends_with(".localhost") && !name.contains("localhost"));
    let name = name.expect(
        "no name of a loopback address but localhost in /etc/hosts, so there is nothing to test with",
    );
    let peer = peer();
    let by_name = format!("--allow-net={name}:PORT");
    let refused = ask(&peer, name, &by_name).expect_code(3);
    assert!(refused.stdout.starts_with("error permission-denied: "), "{name}: {refused:?}");
    assert_eq!(peer.connections(), 0, "{name}: {:?}", peer.seen());
    // Where the address is granted as well, somebody meant it.
    let both = format!("{by_name} --allow-net=127.0.0.0/8");
    ask(&peer, name, &both).expect_code(0);
    ask(&peer, name, &format!("{both} --deny-net={name}")).expect_code(3);
}

/// The services that clouds put on link-local addresses hand credentials to whoever asks.
#[test]
fn metadata_services_are_not_reached_by_what_was_not_meant_for_them() {
    for (host, flags) in [
        ("169.254.169.254", "--allow-net=10.0.0.0/8"),
        ("[::ffff:169.254.169.254]", "-A --deny-net=169.254.0.0/16"),
        ("[::ffff:a9fe:a9fe]", "-A --deny-net=169.254.169.254"),
        ("0xa9fea9fe", "-A --deny-net=169.254.0.0/16"),
        ("2852039166", "-A --deny-net=169.254.0.0/16"),
        ("[fe80::1]", "-A --deny-net=fe80::/10"),
    ] {
        let run = Run::guest("ask").flags(flags).flag("--probe-deadline=1s");
        let (outcome, trace) =
            run.arguments(&["--via", &format!("kubectl-proxy=http://{host}"), "/x"]).traced();
        assert_eq!(outcome.code(), 3, "{host}: {outcome:?}");
        let dialled: Vec<&str> =
            trace.lines().filter(|line| line.contains("connect(") && line.contains("htons(80)")).collect();
        assert!(dialled.is_empty(), "{host}, {flags}: {dialled:#?}");
    }
}
