//! What holds for all flags: a denial wins, an allowance takes nothing away, narrowing adds nothing.

use std::net::SocketAddr;

use proptest::prelude::*;
use tidegate_grants::{Endpoint, Grants, GrantsBuilder, Host, Kind, Need};

/// Few distinct words, so that flags and needs meet often.
fn host() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a.corp",
        "b.corp",
        "corp",
        "x.a.corp",
        "localhost",
        "10.0.0.1",
        "10.1.0.1",
        "127.0.0.1",
    ])
    .prop_map(str::to_owned)
}

fn value(kind: Kind) -> BoxedStrategy<Option<String>> {
    let list = |values: Vec<&'static str>| {
        let some = prop::sample::subsequence(values, 1..=2).prop_map(|values| Some(values.join(",")));
        prop_oneof![9 => some, 1 => Just(None)].boxed()
    };
    match kind {
        Kind::Net => list(vec![
            "a.corp",
            "*.corp",
            "b.corp:443",
            "10.0.0.0/8",
            "10.0.0.1:80",
            "127.0.0.1",
            "localhost",
        ]),
        Kind::Read | Kind::Write => list(vec!["/", "/a", "/a/b", "/a/bc", "/d/../a"]),
        Kind::Env => list(vec!["A", "AB", "A*", "B*"]),
        Kind::Run => list(vec!["sh", "kubectl", "/bin/sh", "/opt/kubectl"]),
        Kind::Listen => list(vec!["127.0.0.1", "127.0.0.1:8080", "localhost", "10.0.0.0/8", "0.0.0.0:8080"]),
        Kind::Connection => list(vec!["prod", "prod-*", "pr*"]),
    }
}

fn flag() -> impl Strategy<Value = (Kind, Option<String>)> {
    prop::sample::select(Kind::ALL.to_vec())
        .prop_flat_map(|kind| value(kind).prop_map(move |value| (kind, value)))
}

fn need() -> impl Strategy<Value = Need> {
    let path = prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/a/bc", "/d"]);
    prop_oneof![
        (host(), prop::sample::select(vec![80_u16, 443]))
            .prop_map(|(host, port)| Need::Net(Endpoint::new(Host::parse(&host).unwrap(), port))),
        path.clone().prop_map(|path| Need::Read(path.into())),
        path.prop_map(|path| Need::Write(path.into())),
        prop::sample::select(vec!["A", "AB", "B", "C"]).prop_map(|name| Need::Env(name.into())),
        prop::sample::select(vec!["sh", "/bin/sh", "kubectl", "/opt/kubectl"])
            .prop_map(|name| Need::Run(name.into())),
        prop::sample::select(vec!["127.0.0.1:0", "127.0.0.1:8080", "[::1]:1", "10.1.2.3:80", "0.0.0.0:8080"])
            .prop_map(|address| Need::Listen(address.parse().expect("an address"))),
        prop::sample::select(vec!["prod", "prod-1", "dev"]).prop_map(|name| Need::Connection(name.into())),
    ]
}

type Flags = Vec<(Kind, Option<String>)>;

fn flags() -> impl Strategy<Value = (Flags, Flags)> {
    (prop::collection::vec(flag(), 0..6), prop::collection::vec(flag(), 0..3))
}

fn builder(allow: &Flags, deny: &Flags) -> GrantsBuilder {
    let mut builder = Grants::builder();
    for (kind, list) in allow {
        builder.allow(*kind, list.as_deref()).unwrap();
    }
    for (kind, list) in deny {
        builder.deny(*kind, list.as_deref()).unwrap();
    }
    builder
}

/// Everything that grants answer about one need, as one yes or no.
fn grants_it(grants: &Grants, need: &Need) -> bool {
    grants.judge(need).is_granted()
}

proptest! {
    #[test]
    fn a_denial_always_wins((allow, deny) in flags(), need in need()) {
        let denied_alone = builder(&Vec::new(), &deny).allow_all().build();
        if !grants_it(&denied_alone, &need) {
            prop_assert!(!grants_it(&builder(&allow, &deny).build(), &need));
        }
    }

    #[test]
    fn another_allowance_takes_nothing_away((allow, deny) in flags(), more in flag(), need in need()) {
        let before = builder(&allow, &deny).build();
        let after = builder(&allow, &deny).allow(more.0, more.1.as_deref()).unwrap().build();
        prop_assert!(!grants_it(&before, &need) || grants_it(&after, &need));
    }

    #[test]
    fn another_denial_adds_nothing((allow, deny) in flags(), more in flag(), need in need()) {
        let before = builder(&allow, &deny).build();
        let after = builder(&allow, &deny).deny(more.0, more.1.as_deref()).unwrap().build();
        prop_assert!(!grants_it(&after, &need) || grants_it(&before, &need));
    }

    #[test]
    fn narrowing_never_widens(parent in flags(), child in flags(), need in need()) {
        let parent = builder(&parent.0, &parent.1).build();
        let child = builder(&child.0, &child.1).build();
        let both = parent.narrow(&child);
        prop_assert_eq!(grants_it(&both, &need), grants_it(&parent, &need) && grants_it(&child, &need));
    }

    #[test]
    fn narrowed_roots_lie_in_both(parent in flags(), child in flags()) {
        let parent = builder(&parent.0, &[].to_vec()).build();
        let child = builder(&child.0, &[].to_vec()).build();
        for root in parent.narrow(&child).path_roots(Kind::Read).0 {
            let need = Need::Read(root.given().to_owned());
            prop_assert!(grants_it(&parent, &need) && grants_it(&child, &need));
        }
    }

    #[test]
    fn an_admitted_address_belongs_to_a_granted_endpoint((allow, deny) in flags(), need in need(), address in any::<u32>()) {
        let grants = builder(&allow, &deny).build();
        let Need::Net(endpoint) = &need else { return Ok(()) };
        let ip = match endpoint.host() {
            Host::Address(address) => *address,
            Host::Name(_) => std::net::Ipv4Addr::from_bits(address).into(),
        };
        let admitted = grants.admits_address(endpoint, SocketAddr::new(ip, endpoint.port())).is_ok();
        prop_assert!(!admitted || grants_it(&grants, &need));
        if matches!(endpoint.host(), Host::Address(_)) {
            prop_assert_eq!(admitted, grants_it(&grants, &need));
        }
    }

    #[test]
    fn parsers_never_panic(text in "\\PC{0,40}", kind in prop::sample::select(Kind::ALL.to_vec())) {
        let _ = Grants::builder().allow(kind, Some(&text));
        let _ = Endpoint::parse(&text);
    }

    #[test]
    fn hosts_read_back_as_they_are_written(text in "[a-zA-Z0-9.:\\[\\]-]{1,20}") {
        if let Ok(host) = Host::parse(&text) {
            prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
        }
    }
}
