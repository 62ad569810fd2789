//! Names are resolved, each address is checked, and the checked ones are dialled: what a name leads to a moment later does not matter, and
//! whoever answers for a granted name does not choose what stands behind this machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Manner, Network, Outcome, Peer, Run, Shown};

/// Ordinary addresses of the network, as those of a cluster are.
const ORDINARY: [&str; 3] = ["10.99.0.1", "10.99.0.2", "fd99::1"];

/// Addresses that a name's grant does not admit, and the peer that a connection there would reach.
const BARRED: [(&str, &str); 12] = [
    ("127.0.0.1", "127.0.0.1"),
    ("127.9.9.9", "127.9.9.9"),
    ("::1", "::1"),
    ("::ffff:127.0.0.1", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.1"),
    ("0.0.0.1", "127.0.0.1"),
    ("::", "::1"),
    ("169.254.169.254", "169.254.169.254"),
    ("::ffff:169.254.169.254", "169.254.169.254"),
    ("100.100.100.200", "100.100.100.200"),
    ("fd00:ec2::254", "fd00:ec2::254"),
    ("64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:a9fe"),
];

/// A server at every address, all at one port.
struct Servers {
    network: Network,
    peers: Vec<(&'static str, Peer)>,
    port: u16,
}

impl Servers {
    fn start(test: &str) -> Option<Servers> {
        let mut addresses: Vec<&str> = ORDINARY.into_iter().chain(BARRED.map(|row| row.1)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let own: Vec<&str> =
            addresses.iter().copied().filter(|text| !text.starts_with("127.") && *text != "::1").collect();
        let network = Network::of_its_own(test, &own)?;
        let mut servers = Servers { network, peers: Vec::new(), port: 0 };
        for address in addresses {
            let peer = servers.serve(address, Manner::Usual);
            servers.port = peer.port();
            servers.peers.push((address, peer));
        }
        Some(servers)
    }

    /// Each answer ends its connection, so that the next request resolves the name anew.
    fn serve(&self, address: &str, manner: Manner) -> Peer {
        let at = SocketAddr::new(address.parse().unwrap(), self.port);
        Peer::at(at, Shown::Plain, manner, |asked| {
            let mut acts = asked.or_api(|| vec![Act::json("{}")]);
            acts.push(Act::Close);
            acts
        })
    }

    fn run(&self, host: &str, flags: &str) -> Run {
        let flags = flags.replace("PORT", &self.port.to_string());
        let via = format!("kubectl-proxy=http://{host}:{}", self.port);
        Run::guest("ask").flags(&flags).arguments(&["--via", &via, "/x"])
    }

    fn connections(&self, address: &str) -> usize {
        self.peers.iter().find(|peer| peer.0 == address).unwrap().1.connections()
    }

    /// These and no others were connected to since the servers started.
    #[track_caller]
    fn expect_connections(&self, what: &str, expected: &[(&str, usize)]) {
        for (address, peer) in &self.peers {
            let wanted = expected.iter().find(|row| row.0 == *address).map_or(0, |row| row.1);
            assert_eq!(peer.connections(), wanted, "{what}: {address}: {:?}", peer.seen());
        }
    }
}

#[track_caller]
fn refused(what: &str, outcome: Outcome) -> String {
    assert_eq!(outcome.code(), 3, "{what}: {outcome:?}");
    let told = |line: &&str| line.starts_with("error permission-denied: ");
    let line = outcome.stdout.lines().find(told).map(str::to_owned);
    line.unwrap_or_else(|| panic!("{what}: no refusal: {outcome:?}"))
}

/// The answer of the first look-up was checked, and its address is dialled. The second look-up's is judged by itself.
#[test]
fn an_answer_that_changes_gains_nothing() {
    let test = "names::an_answer_that_changes_gains_nothing";
    let Some(servers) = Servers::start(test) else { return };
    let names = servers.network.names();
    for (turn, (changed, _)) in BARRED.iter().enumerate() {
        names.answer("api.test", &[&["10.99.0.1"], &[changed]]);
        let outcome = servers.run("api.test", "--allow-net=api.test:PORT").run();
        let line = refused(changed, outcome);
        // An IPv4 address says so itself, however it was dressed.
        let shown = changed.strip_prefix("::ffff:").unwrap_or(changed);
        assert!(line.contains(&format!("\"api.test\" resolves to {shown}, ")), "{line}");
        // One look-up for the first question, one for the request: none between check and dial.
        assert_eq!(names.look_ups("api.test"), 2, "{changed}");
        servers.expect_connections(changed, &[("10.99.0.1", turn + 1)]);
    }
    let before = servers.connections("10.99.0.1");
    names.answer("api.test", &[&["10.99.0.1"], &["10.99.0.2"], &["127.0.0.1"]]);
    servers.run("api.test", "--allow-net=api.test:PORT").run().expect_code(0);
    servers.expect_connections("another server", &[("10.99.0.1", before + 1), ("10.99.0.2", 1)]);
}

/// Of several addresses those that are refused are left out, in whatever order they come.
#[test]
fn of_several_addresses_the_admitted_ones_are_dialled() {
    let test = "names::of_several_addresses_the_admitted_ones_are_dialled";
    let Some(servers) = Servers::start(test) else { return };
    let names = servers.network.names();
    let barred = BARRED.map(|row| row.0);
    let first: Vec<&str> = std::iter::once("10.99.0.2").chain(barred).collect();
    let last: Vec<&str> = barred.into_iter().chain(["10.99.0.2"]).collect();
    for (turn, answer) in [first, last].iter().enumerate() {
        names.answer("api.test", &[answer]);
        servers.run("api.test", "--allow-net=api.test").run().expect_code(0);
        servers.expect_connections("all at once", &[("10.99.0.2", 2 * turn + 2)]);
    }
    for denied in ["10.99.0.2", "10.99.0.2/31", "10.99.0.2:PORT", "::ffff:10.99.0.2", "::ffff:10.99.0.2/127"]
    {
        names.answer("api.test", &[&["10.99.0.2"], &["10.99.0.2"]]);
        let flags = format!("--allow-net=api.test --deny-net={denied}");
        let line = refused(denied, servers.run("api.test", &flags).run());
        assert!(line.contains("--deny-net="), "{denied}: {line}");
    }
    names.answer("api.test", &[&["10.99.0.2", "10.99.0.1", "fd99::1"]]);
    let flags = "--allow-net=api.test --deny-net=10.99.0.2,fd99::/16";
    servers.run("api.test", flags).run().expect_code(0);
    servers.expect_connections("the one that is left", &[("10.99.0.1", 2), ("10.99.0.2", 4)]);
}

/// A grant of a name is of that name; of an address or a block, of just that.
#[test]
fn a_grant_is_of_what_it_says() {
    let test = "names::a_grant_is_of_what_it_says";
    let Some(servers) = Servers::start(test) else { return };
    let names = servers.network.names();
    for name in ["api.test", "a.b.test", "other.example"] {
        names.answer(name, &[&["10.99.0.1"]]);
    }
    let hosts = ["api.test", "a.b.test", "other.example", "10.99.0.1", "[::ffff:10.99.0.1]", "10.99.0.2"];
    let rows: [(&str, &[&str]); 9] = [
        ("--allow-net=api.test:PORT", &["api.test"]),
        ("--allow-net=API.test.", &["api.test"]),
        ("--allow-net=*.test:PORT", &["api.test", "a.b.test"]),
        ("--allow-net=api.test:1", &[]),
        ("--allow-net=10.99.0.1:PORT", &["10.99.0.1", "[::ffff:10.99.0.1]"]),
        ("--allow-net=10.99.0.0/24:PORT", &["10.99.0.1", "[::ffff:10.99.0.1]", "10.99.0.2"]),
        ("--allow-net=::ffff:10.99.0.0/120", &["10.99.0.1", "[::ffff:10.99.0.1]", "10.99.0.2"]),
        ("--allow-net", &hosts),
        ("", &[]),
    ];
    for (flags, reached) in rows {
        for host in hosts {
            let outcome = servers.run(host, flags).run();
            if reached.contains(&host) {
                assert_eq!(outcome.code(), 0, "{host}, {flags}: {outcome:?}");
            } else {
                refused(&format!("{host}, {flags}"), outcome);
            }
        }
    }
    // Both: somebody meant the address that the name has.
    names.answer("inside.test", &[&["127.0.0.1"]]);
    refused("a name of this machine", servers.run("inside.test", "--allow-net=inside.test").run());
    assert_eq!(servers.connections("127.0.0.1"), 0);
    servers.run("inside.test", "--allow-net=inside.test,127.0.0.0/8").run().expect_code(0);
    // And localhost is loopback, whatever a server says of it.
    names.answer("localhost", &[&["10.99.0.2"]]);
    let before = servers.connections("10.99.0.2");
    servers.run("localhost", "--allow-net=localhost:PORT").run().expect_code(0);
    assert_eq!((servers.connections("10.99.0.2"), names.look_ups("localhost")), (before, 0));
}

/// Resolving and dialling share it: a name that takes two seconds leaves one for an address that does not answer.
#[test]
fn one_deadline_covers_the_look_up_and_the_dialling() {
    let test = "names::one_deadline_covers_the_look_up_and_the_dialling";
    let Some(servers) = Servers::start(test) else { return };
    let names = servers.network.names();
    let deaf = Peer::at(([10, 99, 0, 1], 0).into(), Shown::Plain, Manner::NeverAccepts, |_| Vec::new());
    let rows: [(&[&str], u64, &str); 3] = [
        (&["10.99.0.1"], 2_000, "error timeout: "),
        (&["10.99.0.1", "10.99.0.1"], 0, "error timeout: "),
        (&["10.99.0.1"], 9_000, "error timeout: "),
    ];
    for (addresses, delay, expected) in rows {
        names.answer("slow.test", &[addresses]);
        names.delay("slow.test", Duration::from_millis(delay));
        let via = format!("kubectl-proxy=http://slow.test:{}", deaf.port());
        let run = Run::guest("ask").flags("--allow-net=slow.test --probe-deadline=3s");
        let outcome = run.arguments(&["--via", &via, "/x"]).run().expect_code(3).expect_line(expected);
        let elapsed = names.first_look_up("slow.test").map(|first| Instant::now() - first).unwrap();
        let within = Duration::from_millis(2_900)..Duration::from_millis(4_700);
        assert!(within.contains(&elapsed), "{delay} ms, then no answer: {elapsed:?}: {outcome:?}");
    }
}

/// The same holds for what the guest connects to by itself.
#[test]
fn a_guests_own_requests_are_checked_alike() {
    let test = "names::a_guests_own_requests_are_checked_alike";
    let Some(servers) = Servers::start(test) else { return };
    let names = servers.network.names();
    let port = servers.port;
    let own = |name: &str, flags: &str| {
        let flags = flags.replace("PORT", &port.to_string());
        Run::guest("probe-wasi-http").flags(&flags).argument(format!("{name}:{port}")).run()
    };
    names.answer("web.test", &[&["10.99.0.1"]]);
    assert_eq!(own("web.test", "--wasi-net=web.test:PORT").expect_code(1).stdout.trim(), "got 200");
    for (address, _) in BARRED {
        names.answer("web.test", &[&[address]]);
        let outcome = own("web.test", "--wasi-net=web.test:PORT").expect_code(0);
        assert!(outcome.stdout.starts_with("nothing: "), "{address}: {outcome:?}");
    }
    // A name of somebody's own for a transport's server.
    names.answer("api.test", &[&["10.99.0.2"]]);
    names.answer("web.test", &[&["10.99.0.2"]]);
    let outcome = own("web.test", "--wasi-net --kubectl-proxy=http://api.test:PORT").expect_code(0);
    assert!(outcome.stdout.starts_with("nothing: "), "{outcome:?}");
    // A socket goes where a look-up of the guest's own led, and nowhere that the name leads to later.
    names.answer("web.test", &[&["10.99.0.1"], &["127.0.0.1"]]);
    let run = Run::guest("probe-wasi").flag(format!("--wasi-net=web.test:{port}"));
    let attempts =
        ["lookup:web.test", &format!("tcp:10.99.0.1:{port}"), "lookup:web.test"].map(str::to_owned);
    let run = attempts.iter().fold(run, Run::argument);
    let outcome = run.argument(format!("tcp:127.0.0.1:{port}")).run();
    let got: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("got tcp:")).collect();
    assert_eq!(got, [format!("got tcp:10.99.0.1:{port}: connected")], "{outcome:?}");
    servers.expect_connections("by itself", &[("10.99.0.1", 2)]);
}
