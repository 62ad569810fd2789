//! What the flags take, and what they say about what they don't.

use std::path::Path;

use tidegate_grants::{Cidr, EnvPattern, Flag, FlagError, Grants, Kind, NetPattern, RunPattern};

fn refusal(kind: Kind, list: &str) -> FlagError {
    Grants::builder().allow(kind, Some(list)).err().unwrap_or_else(|| panic!("{list:?} was accepted"))
}

#[test]
fn hostile_and_mistaken_net_values_are_refused_with_their_cure() {
    for (list, problem, cure) in [
        ("", "a value is empty", "alone, without ="),
        ("a.corp,", "a value is empty", "leave it out"),
        (",a.corp", "a value is empty", "leave it out"),
        ("*", "not a host", "use the flag alone"),
        ("*:443", "not a host", "use the flag alone"),
        ("https://k8s.corp", "is a URL", "without the scheme"),
        ("k8s.corp/path", "is not a network", "10.0.0.0/8"),
        ("k8s.corp:", "is not a port", "1 to 65535"),
        ("k8s.corp:0", "is not a port", "1 to 65535"),
        ("k8s.corp:65536", "is not a port", "1 to 65535"),
        ("k8s.corp:+80", "is not a port", "1 to 65535"),
        ("k8s.corp:https", "is not a port", "1 to 65535"),
        ("k8s.corp:*", "is not a port", "leave the port out"),
        ("k8s.corp:80-90", "port ranges", "list each port"),
        (":443", "the host is empty", "name or an address"),
        (".", "the host is empty", "name or an address"),
        ("a..corp", "is not a DNS label", "1 to 63"),
        ("-a.corp", "is not a DNS label", "no - at either end"),
        ("a b.corp", "is not a DNS label", "1 to 63"),
        ("a\n.corp", "is not a DNS label", "1 to 63"),
        ("user@k8s.corp", "is not a DNS label", "1 to 63"),
        ("bücher.corp", "is not ASCII", "xn--"),
        ("ｋ8s.corp", "is not ASCII", "xn--"),
        ("127.1", "reads as a number", "four numbers"),
        ("2130706433", "reads as a number", "four numbers"),
        ("0x7f.1", "reads as a number", "four numbers"),
        ("0177.0.0.0x1", "reads as a number", "four numbers"),
        ("127.0.0.01", "reads as a number", "four numbers"),
        ("1.2.3.4.5", "reads as a number", "four numbers"),
        ("fe80::1%eth0", "neither a name nor an address", "without a zone"),
        ("::1:99999:1:1:1:1:1:1", "neither a name nor an address", "[IPv6]:port"),
        ("[::1", "neither a name nor an address", "[IPv6]:port"),
        ("[1.2.3.4]:80", "is not an IPv6 address", "[::1]"),
        ("[::1]80", "follows the bracket", "[address]:port"),
        ("a.*.corp", "has a * inside", "first label"),
        ("k8s*.corp", "has a * inside", "first label"),
        ("*.*.corp", "second *", "first label"),
        ("*.", "the host is empty", "name or an address"),
        ("*.10.0.0.1", "mixes a wildcard and an address", "10.0.0.0/8"),
        ("10.1.2.3/8", "has bits set beyond its /8", "write 10.0.0.0/8 for the network, or 10.1.2.3 for"),
        ("fd00::1/8:443", "has bits set beyond its /8", "write fd00::/8"),
        ("::ffff:10.1.2.3/104", "has bits set beyond", "write 10.0.0.0/8"),
        ("10.0.0.0/33", "is not a network's length", "0 to 32"),
        ("fd00::/129", "is not a network's length", "0 to 128"),
        ("10.0.0.0/", "is not a network's length", "0 to 32"),
        ("10.0.0.0/+8", "is not a network's length", "0 to 32"),
        ("10.0.0/8", "is not a network", "10.0.0.0/8"),
        ("10.0.0.0/8:0", "is not a port", "1 to 65535"),
        ("[fd00::/8", "is not a network", "fd00::/8"),
        ("[fd00::]x/8", "is not a network", "fd00::/8"),
    ] {
        let error = refusal(Kind::Net, list);
        let text = error.to_string();
        assert_eq!(error.flag(), "--allow-net");
        assert!(text.starts_with("bad value "), "{list:?}: {text}");
        assert!(error.invalid().problem().contains(problem), "{list:?}: {text}");
        assert!(error.invalid().cure().contains(cure), "{list:?}: {text}");
    }
}

#[test]
fn other_kinds_refuse_what_cannot_be_meant() {
    for (kind, list, problem) in [
        (Kind::Env, "*", "not a name"),
        (Kind::Env, "A*B", "* inside"),
        (Kind::Env, "A=B", "not a variable's name"),
        (Kind::Env, "A\0", "not a variable's name"),
        (Kind::Run, "*", "not a program"),
        (Kind::Run, "./kubectl", "relative path"),
        (Kind::Run, "bin/kubectl", "relative path"),
        (Kind::Run, "..", "not a program"),
        (Kind::Read, "etc", "relative"),
        (Kind::Read, "/a\0b", "zero byte"),
        (Kind::Write, "", "empty"),
        (Kind::Listen, "*", "not a host"),
        (Kind::Listen, "example.com:80", "is a name"),
        (Kind::Listen, "127.0.0.1:0", "not a port"),
        (Kind::Connection, "*", "not a name"),
        (Kind::Connection, "a*b", "* inside"),
        (Kind::Connection, "a**", "* inside"),
        (Kind::Connection, "prod,", "empty"),
        (Kind::Connection, " prod", "a space"),
        (Kind::Connection, "a\u{202e}b", "cannot be seen"),
        (Kind::Connection, "a\nb", "cannot be seen"),
    ] {
        let error = refusal(kind, list);
        assert_eq!(error.flag(), kind.flag());
        assert!(error.invalid().problem().contains(problem), "{list:?}: {error}");
    }
}

#[test]
fn an_error_names_the_flag_and_the_one_bad_value() {
    let error = Grants::builder().deny(Kind::Net, Some("a.corp,10.1.2.3/8,b.corp")).unwrap_err();
    assert_eq!((error.flag(), error.value()), ("--deny-net", "10.1.2.3/8"));
    assert_eq!(
        error.to_string(),
        "bad value \"10.1.2.3/8\" for --deny-net: 10.1.2.3/8 has bits set beyond its /8; \
         write 10.0.0.0/8 for the network, or 10.1.2.3 for the one address"
    );
    let error = Grants::builder().wasi(Kind::Run, None).unwrap_err();
    assert_eq!(error.flag(), "--wasi-run");
    let error = Grants::builder().wasi(Kind::Connection, Some("prod")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad value \"prod\" for --wasi-connection: WASI has nothing of the kind connection; use --allow-connection for what the \
         host may do"
    );
}

#[test]
fn a_flag_as_text() {
    for (text, expected) in [
        ("-A", Ok("-A")),
        ("--allow-all", Ok("-A")),
        ("--allow-net", Ok("--allow-net")),
        ("--allow-net=", Ok("--allow-net=")),
        ("--deny-connection=prod-*,a=b", Ok("--deny-connection=prod-*,a=b")),
        ("--wasi-read=/data", Ok("--wasi-read=/data")),
        ("--wasi-run", Err("\"--wasi-run\" is no permission flag")),
        ("--limit-cpu=10s", Ok("--limit-cpu=10s")),
        ("--limit-cpu", Err("--limit-cpu has no value")),
        ("--limit-patience=10s", Err("\"--limit-patience\" is no permission flag")),
        ("-P", Err("-P cannot stand in a permission set")),
        ("--permission-set=ci", Err("--permission-set cannot stand in a permission set")),
        ("--allow-net --allow-run=x", Err("several flags in one text")),
        ("--kubeconfig=hunter2", Err("\"--kubeconfig\" is no permission flag")),
        ("", Err("\"\" is no permission flag")),
    ] {
        let parsed = Flag::parse(text);
        let shown = parsed.as_ref().map(ToString::to_string);
        let shown = shown.as_deref().map_err(|invalid| invalid.problem());
        assert_eq!(shown, expected, "{text:?}");
    }
}

#[test]
fn home_is_put_in_where_no_shell_did() {
    for (text, path, granted) in [
        ("--allow-read=~/.kube", "/home/me/.kube/config", true),
        ("--allow-read=~", "/home/me/x", true),
        ("--allow-read=~other", "/home/me/other", false),
        ("--allow-read=~other", "/etc/tidegate/~other", true),
        ("--allow-read=./here", "/etc/tidegate/here", true),
    ] {
        let mut builder = Grants::builder();
        let (folder, home) = (Path::new("/etc/tidegate"), Path::new("/home/me"));
        let flag = Flag::parse(text).unwrap();
        builder.within(folder, Some(home), |builder| builder.add(&flag).map(drop)).unwrap();
        let need = tidegate_grants::Need::Read(path.into());
        assert_eq!(builder.build().judge(&need).is_granted(), granted, "{text} {path}");
    }
}

#[test]
fn a_bad_flag_grants_nothing_of_its_list() {
    let mut builder = Grants::builder();
    assert!(builder.allow(Kind::Env, Some("GOOD,B=AD")).is_err());
    let need = tidegate_grants::Need::Env("GOOD".into());
    assert!(!builder.build().judge(&need).is_granted());
}

#[test]
fn of_limits_the_last_counts() {
    for (flags, expected) in [
        (&[][..], "none"),
        (&["--limit-memory=64Mi", "--limit-requests=600/m"], "memory 64MiB, requests 600/m"),
        (&["--limit-memory=64Mi", "-A", "--limit-memory=1Gi"], "memory 1GiB"),
        (&["--limit-streams=16", "--limit-wall=90", "--limit-streams=none"], "wall 1m30s"),
    ] {
        let mut builder = Grants::builder();
        for flag in flags {
            builder.add(&Flag::parse(flag).unwrap()).unwrap();
        }
        assert_eq!(builder.limits().to_string(), expected, "{flags:?}");
    }
    let error = Grants::builder().add(&Flag::parse("--limit-cpu=never").unwrap()).unwrap_err().to_string();
    let expected = "bad value \"never\" for --limit-cpu: is no time; write a number and ms, s, m or h, e.g. 10s or 1m30s; `none` is no \
                    limit";
    assert_eq!(error, expected);
}

#[test]
fn patterns_are_written_back_in_one_form() {
    for (text, expected) in [
        ("K8S.Corp.", "k8s.corp"),
        ("k8s.corp:443", "k8s.corp:443"),
        ("*.Corp.:443", "*.corp:443"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("[::1]:8443", "[::1]:8443"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/8:6443", "10.0.0.0/8:6443"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
        ("[fd00::/8]:443", "fd00::/8:443"),
        ("[fd00::]/8:443", "fd00::/8:443"),
        ("fd00::/8:443", "fd00::/8:443"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("my_service", "my_service"),
    ] {
        let pattern = NetPattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(pattern.to_string(), expected);
        assert_eq!(NetPattern::parse(expected).as_ref(), Ok(&pattern), "{expected} reads back");
    }
    assert_eq!(EnvPattern::parse("KUBERNETES_*").unwrap().to_string(), "KUBERNETES_*");
    assert_eq!(RunPattern::parse("/usr//bin/./kubectl").unwrap().to_string(), "/usr/bin/kubectl");
}

#[test]
fn networks_hold_their_own_family() {
    for (network, address, inside) in [
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "10.0.0.1", false),
        ("::/0", "::ffff:10.0.0.1", false),
        ("::/0", "ffff::", true),
        ("10.0.0.1/32", "10.0.0.1", true),
        ("10.0.0.1/32", "10.0.0.0", false),
        ("fd00::/8", "fdff::1", true),
        ("::1/128", "::1", true),
    ] {
        assert_eq!(
            Cidr::parse(network).unwrap().contains(address.parse().unwrap()),
            inside,
            "{address} in {network}"
        );
    }
}
