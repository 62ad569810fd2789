use proptest::prelude::*;

use super::*;

#[test]
fn hostile_paths_are_refused() {
    use Invalid::*;
    for (path, error) in [
        ("", NotAbsolute),
        ("api/v1", NotAbsolute),
        ("https://elsewhere/api", NotAbsolute),
        ("*", NotAbsolute),
        ("//elsewhere/api", LooksLikeAHost),
        ("/%2felsewhere/api", LooksLikeAHost),
        ("/%2F/api", LooksLikeAHost),
        ("/api\r\nHost: x", Byte { byte: b'\r', offset: 4 }),
        ("/api\nx", Byte { byte: b'\n', offset: 4 }),
        ("/a b", Byte { byte: b' ', offset: 2 }),
        ("/a\0", Byte { byte: 0, offset: 2 }),
        ("/a\x7f", Byte { byte: 0x7f, offset: 2 }),
        ("/ä", Byte { byte: 0xc3, offset: 1 }),
        ("/a\\..\\b", Byte { byte: b'\\', offset: 2 }),
        ("/a?x=\r\n", Byte { byte: b'\r', offset: 5 }),
        ("/a?x=a b", Byte { byte: b' ', offset: 6 }),
        ("/a?x={}", Byte { byte: b'{', offset: 5 }),
        ("/a#b", Fragment { offset: 2 }),
        ("/a?b#c", Fragment { offset: 4 }),
        ("/a%", Percent { offset: 2 }),
        ("/a%2", Percent { offset: 2 }),
        ("/a%zz", Percent { offset: 2 }),
        ("/a%0d%0ab", Encoded),
        ("/a%00", Encoded),
        ("/a%7F", Encoded),
        ("/a%5c..%5cb", Encoded),
        ("/a%ff", Encoded),
        ("/%c0%ae%c0%ae/a", Encoded),
        ("/..", DotSegment),
        ("/.", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/./b", DotSegment),
        ("/a/..", DotSegment),
        ("/a/..?x=1", DotSegment),
        ("/%2e%2e/a", DotSegment),
        ("/%2E./a", DotSegment),
        ("/.%2e/a", DotSegment),
        ("/%2e/a", DotSegment),
        ("/a/..%2fb", DotSegment),
        ("/a%2f..%2fb", DotSegment),
        ("/a%2F%2e%2E", DotSegment),
    ] {
        assert_eq!(parse(path), Err(error), "{path:?}");
    }
    assert_eq!(parse(&format!("/{}", "a".repeat(MAX_LENGTH))), Err(TooLong { length: MAX_LENGTH + 1 }));
}

#[test]
fn honest_paths_are_kept_as_they_are() {
    for (path, segments) in [
        ("/", vec![]),
        ("/api", vec!["api"]),
        (
            "/api/v1/namespaces/a/services/https:b:443/proxy/x",
            vec!["api", "v1", "namespaces", "a", "services", "https:b:443", "proxy", "x"],
        ),
        ("/a/b%2Fc", vec!["a", "b", "c"]),
        ("/a//b/", vec!["a", "b"]),
        ("/a/...", vec!["a", "..."]),
        ("/a/..b/c..", vec!["a", "..b", "c.."]),
        // Decoded once it is the text `%2e%2e`, and stays so.
        ("/a/%252e%252e", vec!["a", "%2e%2e"]),
        ("/a/%C3%A4", vec!["a", "ä"]),
        ("/a?x=../..&y=%0a%00", vec!["a"]),
        ("/api?", vec!["api"]),
    ] {
        let parsed = parse(path).expect(path);
        assert_eq!(parsed.as_str(), path);
        assert_eq!(parsed.segments(), segments, "{path}");
    }
}

#[test]
fn queries_are_appended() {
    for (path, pairs, text) in [
        ("/a", vec![], "/a"),
        ("/a", vec![("x", "1")], "/a?x=1"),
        ("/a?", vec![("x", "1")], "/a?x=1"),
        ("/a?b=c", vec![("x", "1"), ("x", "2")], "/a?b=c&x=1&x=2"),
        ("/a?b=c&", vec![("x", "")], "/a?b=c&x="),
        (
            "/a",
            vec![("labelSelector", "a in (b, c),d!=e")],
            "/a?labelSelector=a%20in%20%28b%2C%20c%29%2Cd%21%3De",
        ),
        ("/a", vec![("x&y", "1\r\nHost: é#?/")], "/a?x%26y=1%0D%0AHost%3A%20%C3%A9%23%3F%2F"),
    ] {
        assert_eq!(parse(path).expect(path).with_query(&pairs).expect(path).as_str(), text);
    }
    let path = parse("/a").expect("a path");
    assert_eq!(path.clone().with_query(&[("", "x")]), Err(Invalid::EmptyQueryName));
    let long = "ä".repeat(MAX_LENGTH / 6 + 1);
    assert!(matches!(path.with_query(&[("x", long)]), Err(Invalid::TooLong { .. })));
}

#[test]
fn query_values_are_read_as_the_server_reads_them() {
    let path = parse("/a?watch&x=1+2%2B&x=3&%77=y").expect("a path");
    for (name, value) in [("watch", Some("")), ("x", Some("1 2+")), ("w", Some("y")), ("z", None)] {
        assert_eq!(path.query_value(name).as_deref(), value, "{name}");
    }
}

#[test]
fn a_prefix_goes_before() {
    let path = parse("/api?x=1").expect("a path");
    for (prefix, text) in
        [("", "/api?x=1"), ("/", "/api?x=1"), ("/k/global", "/k/global/api?x=1"), ("/k/", "/k/api?x=1")]
    {
        assert_eq!(path.join(prefix), text);
    }
}

proptest! {
    #[test]
    fn what_is_accepted_is_harmless(text in "/[a./%2eEfF5cC?&#\\\\ \r\nä0]{0,24}", name in ".{1,8}", value in ".{0,8}") {
        let Ok(path) = parse(&text).and_then(|path| path.with_query(&[(&name, &value)])) else { return Ok(()) };
        prop_assert!(path.as_str().bytes().all(|b| b.is_ascii_graphic()));
        prop_assert_eq!(path.path(), text.split('?').next().unwrap_or_default());
        prop_assert!(path.segments().iter().all(|s| s != ".." && s != "." && !s.contains(['\\', '/', '\r', '\n'])));
        prop_assert_eq!(path.join("/prefix"), format!("/prefix{path}"));
        if !path.query().unwrap_or_default().starts_with(&format!("{name}=")) && !text.contains('?') {
            prop_assert_eq!(path.query_value(&name), Some(value));
        }
    }

    #[test]
    fn never_panics(text: String) {
        if let Ok(path) = parse(&text) {
            path.segments();
        }
    }
}
