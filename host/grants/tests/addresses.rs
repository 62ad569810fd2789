//! What a name may resolve to (row H2).

use std::net::{IpAddr, SocketAddr};

use tidegate_grants::{AddressClass, Endpoint, Grants, Kind, Refusal};

fn admits(allow: &str, deny: &str, endpoint: &str, address: &str) -> Result<(), Refusal> {
    let mut builder = Grants::builder();
    match allow {
        "" => {}
        "everything" => drop(builder.allow(Kind::Net, None).unwrap()),
        list => drop(builder.allow(Kind::Net, Some(list)).unwrap()),
    }
    if !deny.is_empty() {
        builder.deny(Kind::Net, Some(deny)).unwrap();
    }
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let address: IpAddr = address.parse().unwrap();
    let resolved = SocketAddr::new(address, endpoint.port());
    builder.build().admits_address(&endpoint, resolved).map_err(|refused| refused.refusal().clone())
}

#[test]
fn a_name_admits_what_is_not_this_machines_own() {
    use AddressClass::{LinkLocal, Loopback, Metadata, Multicast, Unspecified};
    for (address, class) in [
        ("93.184.216.34", None),
        ("10.0.0.1", None),
        ("192.168.1.1", None),
        ("fd12::1", None),
        ("2606:2800::1", None),
        ("127.0.0.1", Some(Loopback)),
        ("127.255.255.254", Some(Loopback)),
        ("::1", Some(Loopback)),
        ("::ffff:127.0.0.1", Some(Loopback)),
        ("::127.0.0.1", Some(Loopback)),
        ("64:ff9b::7f00:1", Some(Loopback)),
        ("2002:7f00:1::", Some(Loopback)),
        ("169.254.169.254", Some(LinkLocal)),
        ("169.254.0.1", Some(LinkLocal)),
        ("::ffff:169.254.169.254", Some(LinkLocal)),
        ("64:ff9b::a9fe:a9fe", Some(LinkLocal)),
        ("fe80::1", Some(LinkLocal)),
        ("febf::1", Some(LinkLocal)),
        ("fd00:ec2::254", Some(Metadata)),
        ("100.100.100.200", Some(Metadata)),
        ("168.63.129.16", Some(Metadata)),
        ("0.0.0.0", Some(Unspecified)),
        ("0.1.2.3", Some(Unspecified)),
        ("::", Some(Unspecified)),
        ("::ffff:0.0.0.0", Some(Unspecified)),
        ("224.0.0.1", Some(Multicast)),
        ("255.255.255.255", Some(Multicast)),
        ("ff02::1", Some(Multicast)),
    ] {
        let expected = class.map_or(Ok(()), |class| Err(Refusal::Class(class)));
        assert_eq!(admits("k8s.corp", "", "k8s.corp:443", address), expected, "{address}");
        assert_eq!(admits("*.corp", "", "k8s.corp:443", address), expected, "{address} by wildcard");
        assert_eq!(admits("everything", "", "k8s.corp:443", address), Ok(()), "{address} by the flag alone");
    }
}

#[test]
fn grants_and_denials_of_addresses_decide_before_classes() {
    let by = |flag: &str| Err(Refusal::Denied(flag.into()));
    for (allow, deny, endpoint, address, expected) in [
        ("localhost", "", "localhost:80", "127.0.0.1", Ok(())),
        ("localhost", "", "localhost:80", "::1", Ok(())),
        ("*.localhost", "", "a.localhost:80", "::1", Ok(())),
        ("localhost", "", "localhost:80", "169.254.1.1", Err(Refusal::Class(AddressClass::LinkLocal))),
        ("localhost", "127.0.0.0/8", "localhost:80", "127.0.0.1", by("--deny-net=127.0.0.0/8")),
        // A name that was granted, leading to an address that was granted too.
        ("k8s.corp,127.0.0.1", "", "k8s.corp:443", "127.0.0.1", Ok(())),
        ("k8s.corp,127.0.0.1:443", "", "k8s.corp:443", "127.0.0.1", Ok(())),
        (
            "k8s.corp,127.0.0.1:80",
            "",
            "k8s.corp:443",
            "127.0.0.1",
            Err(Refusal::Class(AddressClass::Loopback)),
        ),
        // An address alone is no grant of a name.
        ("127.0.0.1", "", "k8s.corp:443", "127.0.0.1", Err(Refusal::NotGranted)),
        ("k8s.corp", "", "other.corp:443", "10.0.0.1", Err(Refusal::NotGranted)),
        ("", "", "k8s.corp:443", "10.0.0.1", Err(Refusal::NotGranted)),
        ("k8s.corp:80", "", "k8s.corp:443", "10.0.0.1", Err(Refusal::NotGranted)),
        // An address admits itself, whatever its class, and nothing in its place.
        ("127.0.0.1", "", "127.0.0.1:80", "127.0.0.1", Ok(())),
        ("127.0.0.0/8", "", "127.0.0.1:80", "::ffff:127.0.0.1", Ok(())),
        ("127.0.0.0/8", "", "127.0.0.1:80", "127.0.0.2", Err(Refusal::NotGranted)),
        // Denials reach what names resolve to, in every form that leads there.
        ("k8s.corp", "10.0.0.0/8", "k8s.corp:443", "10.1.1.1", by("--deny-net=10.0.0.0/8")),
        ("everything", "10.0.0.0/8", "k8s.corp:443", "::ffff:10.1.1.1", by("--deny-net=10.0.0.0/8")),
        ("everything", "10.0.0.0/8", "k8s.corp:443", "64:ff9b::a01:101", by("--deny-net=10.0.0.0/8")),
        // What connects to this machine is its loopback.
        ("everything", "127.0.0.0/8", "0.0.0.0:8001", "0.0.0.0", by("--deny-net=127.0.0.0/8")),
        ("everything", "127.0.0.1", "k8s.corp:443", "::ffff:0.0.0.0", by("--deny-net=127.0.0.1")),
        ("everything", "::1", "[::]:8001", "::", by("'--deny-net=[::1]'")),
        ("everything", "127.0.0.0/8", "[::]:8001", "::", Ok(())),
        ("everything", "10.0.0.0/8", "0.0.0.0:8001", "0.0.0.0", Ok(())),
        ("everything", "10.0.0.0/8:80", "k8s.corp:443", "10.1.1.1", Ok(())),
        ("everything", "10.0.0.0/8:443", "k8s.corp:443", "10.1.1.1", by("--deny-net=10.0.0.0/8:443")),
        ("k8s.corp,10.1.1.1", "10.0.0.0/8", "k8s.corp:443", "10.1.1.1", by("--deny-net=10.0.0.0/8")),
        ("everything", "k8s.corp", "k8s.corp:443", "10.1.1.1", by("--deny-net=k8s.corp")),
    ] {
        assert_eq!(
            admits(allow, deny, endpoint, address),
            expected,
            "{allow} / {deny}: {endpoint} at {address}"
        );
    }
}

#[test]
fn a_refused_address_names_its_flag() {
    let grants = Grants::builder().allow(Kind::Net, Some("k8s.corp")).unwrap().build();
    let endpoint = Endpoint::parse("k8s.corp:443").unwrap();
    let refused = grants.admits_address(&endpoint, "[::1]:443".parse().unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "\"k8s.corp\" resolves to ::1, a loopback address, which a grant of a name does not cover; run again with \
         '--allow-net=[::1]:443'"
    );
}

#[test]
fn the_port_asked_for_counts_not_the_resolvers() {
    let grants = Grants::builder().allow(Kind::Net, Some("10.0.0.1:80,k8s.corp:80")).unwrap().build();
    let endpoint = Endpoint::parse("10.0.0.1:443").unwrap();
    assert!(grants.admits_address(&endpoint, "10.0.0.1:80".parse().unwrap()).is_err());
}
