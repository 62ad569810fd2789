//! Servers' addresses, honest and odd.

use tidegate_kube::kubeconfig::{Scheme, Server};

#[test]
fn servers() {
    for (text, shown, host, port, prefix) in [
        ("https://h", "https://h", "h", 443, ""),
        ("https://h/", "https://h", "h", 443, ""),
        ("https://h:443", "https://h", "h", 443, ""),
        ("https://h:", "https://h", "h", 443, ""),
        ("HTTPS://Host.Example.COM:6443", "https://host.example.com:6443", "host.example.com", 6443, ""),
        (
            "https://h:6443/kubernetes/global/",
            "https://h:6443/kubernetes/global",
            "h",
            6443,
            "/kubernetes/global",
        ),
        ("https://h/a%20b", "https://h/a%20b", "h", 443, "/a%20b"),
        ("http://h", "http://h", "h", 80, ""),
        ("h", "http://h", "h", 80, ""),
        ("h:8080", "http://h:8080", "h", 8080, ""),
        ("h:8080/", "http://h:8080", "h", 8080, ""),
        ("10.0.0.1:6443", "http://10.0.0.1:6443", "10.0.0.1", 6443, ""),
        ("https://10.0.0.1", "https://10.0.0.1", "10.0.0.1", 443, ""),
        ("https://[FD00:0::1]:6443", "https://[fd00::1]:6443", "fd00::1", 6443, ""),
        ("https://[::1]", "https://[::1]", "::1", 443, ""),
        (
            "https://kubernetes.default.svc.",
            "https://kubernetes.default.svc.",
            "kubernetes.default.svc.",
            443,
            "",
        ),
        ("https://under_score.x1", "https://under_score.x1", "under_score.x1", 443, ""),
    ] {
        let server: Server = text.parse().expect(text);
        assert_eq!(
            (server.to_string().as_str(), server.host(), server.port(), server.prefix()),
            (shown, host, port, prefix),
            "{text}"
        );
        assert_eq!(server.scheme() == Scheme::Https, shown.starts_with("https"), "{text}");
    }
}

#[test]
fn servers_that_are_refused() {
    for (text, error) in [
        ("", "it is empty"),
        ("h/path", "host must be a URL or a host:port pair"),
        ("ftp://h", "its scheme must be http or https"),
        ("unix:///x", "its scheme must be http or https"),
        ("://h", "its scheme must be http or https"),
        ("https:h", "its port is no number from 1 to 65535"),
        ("https://", "its host is no name and no address"),
        ("https:///x", "its host is no name and no address"),
        ("https://u:hunter2@h", "it holds a user name or a password; put them into the user's entry"),
        ("https://h@", "it holds a user name or a password; put them into the user's entry"),
        ("https://h?x", "it holds a query or a fragment; remove it"),
        ("https://h/p#x", "it holds a query or a fragment; remove it"),
        ("https://bücher.example", "its host is not ASCII; write it in its `xn--` form"),
        ("https://h h", "its host is no name and no address"),
        ("https://h\n", "its host is no name and no address"),
        ("https://h\\x", "its host is no name and no address"),
        ("https://h%00", "its host is no name and no address"),
        ("https://a..b", "its host is no name and no address"),
        ("https://.", "its host is no name and no address"),
        (
            "https://127.1",
            "its host ends in a number but is no IPv4 address; write all four parts in decimal",
        ),
        (
            "https://2130706433",
            "its host ends in a number but is no IPv4 address; write all four parts in decimal",
        ),
        (
            "https://0x7f000001",
            "its host ends in a number but is no IPv4 address; write all four parts in decimal",
        ),
        (
            "https://0177.0.0.1",
            "its host ends in a number but is no IPv4 address; write all four parts in decimal",
        ),
        (
            "https://1.2.3.4.5",
            "its host ends in a number but is no IPv4 address; write all four parts in decimal",
        ),
        ("https://fd00::1", "its host is an IPv6 address without brackets; write [address]:port"),
        ("https://[fe80::1%25eth0]", "its host holds an IPv6 zone; a zone has a meaning on one machine only"),
        ("https://[fd00::1", "its host is no name and no address"),
        ("https://[h]", "its host is no name and no address"),
        ("https://[::1]x", "its port is no number from 1 to 65535"),
        ("https://h:0", "its port is no number from 1 to 65535"),
        ("https://h:65536", "its port is no number from 1 to 65535"),
        ("https://h:+1", "its port is no number from 1 to 65535"),
        ("https://h/../x", "its path is unusable"),
        ("https://h/%2e%2e/x", "its path is unusable"),
        ("https://h/a b", "its path is unusable"),
        ("https://h//x", "its path is unusable"),
    ] {
        let refused = text.parse::<Server>().map_err(|error| error.to_string());
        assert_eq!(refused.err().as_deref(), Some(error), "{text:?}");
    }
}
