//! Kubeconfigs that are broken, vast or malicious: what kubectl takes is taken, the rest ends soon, and no error quotes the file.

use std::time::Duration;

use tidegate_tests::{Act, Outcome, Peer, Run, TOKEN};

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

/// The values of `Authorization` that the peer was sent; empty for none.
fn credentials(peer: &Peer) -> Vec<String> {
    peer.seen().iter().map(|asked| asked.header("authorization").unwrap_or_default().to_owned()).collect()
}

/// Asks with this text as the kubeconfig.
fn with_text(peer: &Peer, text: &str) -> Outcome {
    peer.write("config", text);
    Run::ask(peer).argument("/x").run()
}

fn last_line(outcome: &Outcome) -> &str {
    outcome.stdout.lines().last().unwrap_or_default()
}

#[test]
fn what_kubectl_takes_is_taken() {
    let peer = peer();
    let base = peer.kubeconfig_with(&format!("{{token: '{TOKEN}'}}"));
    let file = peer.write("token-line", &format!("{TOKEN}\n"));
    let spaced = peer.write("token-spaced", &format!("  {TOKEN} \r\n\n"));
    let rows = [
        ("unknown fields", format!("apiVersion: v1\nkind: Config\nfuture: {{a: [1, 2]}}\n{base}"), TOKEN),
        ("unknown fields inside", base.replace("{token:", "{shiny: true, token:"), TOKEN),
        ("a second document", format!("{base}---\ncurrent-context: other\n"), TOKEN),
        (
            "a token file with a trailing newline",
            peer.kubeconfig_with(&format!("{{tokenFile: '{}'}}", file.display())),
            TOKEN,
        ),
        (
            "a token file with spaces",
            peer.kubeconfig_with(&format!("{{tokenFile: '{}'}}", spaced.display())),
            TOKEN,
        ),
        ("two equal keys", base.replace("{token:", "{token: first, token:"), TOKEN),
        ("JSON", json(&peer), TOKEN),
        ("a byte order mark", format!("\u{feff}{base}"), TOKEN),
        ("CR LF", base.replace('\n', "\r\n"), TOKEN),
    ];
    for (what, text, token) in rows {
        let outcome = with_text(&peer, &text);
        assert_eq!(outcome.code(), 0, "{what}: {outcome:?}");
        assert_eq!(credentials(&peer).pop().unwrap(), format!("Bearer {token}"), "{what}");
    }
}

fn json(peer: &Peer) -> String {
    let ca = peer.folder().join("ca.crt");
    format!(
        r#"{{"clusters":[{{"name":"c","cluster":{{"server":"{}","certificate-authority":"{}"}}}}],
"users":[{{"name":"u","user":{{"token":"{TOKEN}"}}}}],"contexts":[{{"name":"x","context":{{"cluster":"c","user":"u"}}}}],
"current-context":"x"}}"#,
        peer.url(),
        ca.display()
    )
}

#[test]
fn what_kubectl_refuses_is_refused_without_quoting_it() {
    const SECRET: &str = "s3cr3t-value-of-a-token";
    let peer = peer();
    let user = |user: &str| peer.kubeconfig_with(user);
    let good = user(&format!("{{token: {SECRET}}}"));
    let not_base64 =
        format!("{{token: {SECRET}, client-certificate-data: '!{SECRET}!', client-key-data: '?{SECRET}?'}}");
    let not_pem = "{client-certificate-data: czNjcjN0LXZhbHVlLW9mLWEtdG9rZW4=, client-key-data: czNjcjN0LXZhbHVlLW9mLWEtdG9rZW4=}";
    let rows = [
        ("a number as token", user("{token: 12345}")),
        ("a list as token", user(&format!("{{token: [{SECRET}]}}"))),
        ("a line break in a token", user(&format!("{{token: \"{SECRET}\\r\\nX-Evil: yes\"}}"))),
        ("a control byte in a token", user(&format!("{{token: \"{SECRET}\\x01\"}}"))),
        ("bad base64", user(&not_base64)),
        ("base64 of no PEM", user(not_pem)),
        (
            "bad base64 in the CA",
            good.replace("certificate-authority:", &format!("certificate-authority-data: '%{SECRET}', x:")),
        ),
        ("two users of one name", good.replace("users: [", "users: [{name: u, user: {token: first}}, ")),
        ("half of a pair", user(&format!("{{token: {SECRET}, client-key-data: {SECRET}}}"))),
        ("both token and basic", user(&format!("{{token: {SECRET}, username: u, password: {SECRET}}}"))),
        ("broken YAML", format!("{good}  : ][ {SECRET}\n")),
        (
            "a broken indentation on the line of the token",
            format!("users:\n- name: u\n  user:\n    token: {SECRET}\n   x: y\n"),
        ),
        ("a tab before a token", format!("users:\n- name: u\n  user:\n\t token: {SECRET}\n")),
        ("an unclosed quote", good.replace(&format!("token: {SECRET}"), &format!("token: \"{SECRET}"))),
        ("an unknown tag", good.replace("token: ", "token: !!binary ")),
        ("an unknown anchor", good.replace("token: ", "token: *nobody ")),
        ("not UTF-8 in name only", good.replace("current-context: x", "current-context: nobody")),
        ("a context without its user", good.replace("user: u}", "user: nobody}")),
        ("a context without its cluster", good.replace("cluster: c,", "cluster: nobody,")),
        ("a server that is no URL", good.replace("https://", "ftp://")),
        ("a server with a password", good.replace("https://", &format!("https://u:{SECRET}@"))),
        ("a scalar", SECRET.to_owned()),
        ("a list", format!("- {SECRET}\n")),
        ("nothing", String::new()),
        ("zero bytes", "\0\0\0\0".to_owned()),
    ];
    for (what, text) in rows {
        let outcome = with_text(&peer, &text);
        assert_eq!(outcome.code(), 3, "{what}: {outcome:?}");
        assert!(!outcome.everything().contains(SECRET), "{what} is quoted: {outcome:?}");
        assert!(!outcome.everything().contains("12345"), "{what} is quoted: {outcome:?}");
        let codes = ["error not-configured: ", "error tls: ", "error unsupported: "];
        assert!(codes.iter().any(|code| last_line(&outcome).starts_with(code)), "{what}: {outcome:?}");
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

#[test]
fn a_document_that_explodes_ends_soon() {
    let peer = peer();
    let mut bomb = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi", "ij"] {
        let (last, next) = (&pair[..1], &pair[1..]);
        bomb += &format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 9].join(", "));
    }
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let mappings = "{a: ".repeat(1 << 18);
    let merges = "x: &x {a: 1}\n".to_owned() + &"y: {<<: [*x, *x, *x, *x]}\n".repeat(1 << 15);
    for (what, text) in [
        ("aliases", format!("{bomb}{}", peer.kubeconfig_with("{token: x}"))),
        ("aliases of itself", "a: &a [*a]\n".to_owned()),
        ("lists in lists", deep),
        ("mappings in mappings", mappings),
        ("merges", merges),
        ("anchors", (0..1 << 17).map(|n| format!("k{n}: &a{n} v\n")).collect()),
        ("keys", (0..1 << 17).map(|n| format!("k{n}: v\n")).collect()),
    ] {
        peer.write("config", &text);
        let (outcome, usage) = Run::ask(&peer).argument("/x").measured();
        assert!(matches!(outcome.code(), 0 | 3), "{what}: {outcome:?}");
        assert!(usage.processor < Duration::from_secs(2), "{what}: {usage:?}");
        assert!(usage.memory < 400 << 20, "{what}: {usage:?}");
    }
}

#[test]
fn ten_megabytes_of_kubeconfig_work() {
    let peer = peer();
    let entry = |n| format!("- name: user-{n}\n  user:\n    token: {}\n", "t".repeat(1_000));
    let users: String = (0..11_000).map(entry).collect();
    let ca = peer.folder().join("ca.crt");
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: '{}'}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
         current-context: x\nusers:\n{users}- name: u\n  user: {{token: '{TOKEN}'}}\n",
        peer.url(),
        ca.display()
    );
    assert!(text.len() > 10 << 20);
    peer.write("config", &text);
    let outcome = Run::ask(&peer).argument("/x").deadline(Duration::from_secs(60)).run();
    outcome.expect_code(0);
    assert_eq!(credentials(&peer).pop().unwrap(), format!("Bearer {TOKEN}"));
}
