//! Needs against flags.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tidegate_grants::{Denied, Endpoint, Grants, Kind, Missing, Need, Verdict};

/// Builds grants from flags as they stand on a command line, so that a table reads as one.
fn grants(flags: &str) -> Grants {
    let mut builder = Grants::builder();
    builder.working_folder("/work");
    for flag in flags.split_whitespace() {
        let (name, list) = flag.split_once('=').map_or((flag, None), |(name, list)| (name, Some(list)));
        let (side, kind) = name.trim_start_matches('-').split_once('-').unwrap_or((name, ""));
        let kind = Kind::from_name(kind);
        let added = match (side, kind) {
            ("allow", Some(kind)) => builder.allow(kind, list),
            ("deny", Some(kind)) => builder.deny(kind, list),
            ("wasi", Some(kind)) => builder.wasi(kind, list),
            ("-A", None) => Ok(builder.allow_all()),
            _ => panic!("{flag}"),
        };
        added.unwrap();
    }
    builder.build()
}

fn need(text: &str) -> Need {
    let (kind, value) = text.split_once(' ').unwrap();
    match kind {
        "net" => Need::Net(Endpoint::parse(value).unwrap()),
        "read" => Need::Read(value.into()),
        "write" => Need::Write(value.into()),
        "env" => Need::Env(value.into()),
        "run" => Need::Run(value.into()),
        "listen" => Need::Listen(tidegate_grants::listen_address(value).expect(value)),
        "connection" => Need::Connection(value.into()),
        _ => panic!("{text}"),
    }
}

fn verdict(expected: &str) -> Verdict {
    match expected {
        "granted" => Verdict::Granted,
        "missing" => Verdict::Missing,
        by => Verdict::Denied { by: by.into() },
    }
}

#[test]
fn needs_are_judged() {
    for (flags, text, expected) in [
        ("", "net k8s.corp:443", "missing"),
        ("--allow-net", "net k8s.corp:443", "granted"),
        ("--allow-net=k8s.corp", "net K8S.corp.:6443", "granted"),
        ("--allow-net=k8s.corp:443", "net k8s.corp:6443", "missing"),
        ("--allow-net=k8s.corp", "net a.k8s.corp:443", "missing"),
        ("--allow-net=*.corp", "net a.b.corp:443", "granted"),
        ("--allow-net=*.corp", "net corp:443", "missing"),
        ("--allow-net=*.corp", "net evilcorp:443", "missing"),
        ("--allow-net=*.corp", "net a.corp.evil:443", "missing"),
        ("--allow-net=*.corp:443", "net a.corp:80", "missing"),
        ("--allow-net=10.0.0.0/8", "net 10.1.2.3:6443", "granted"),
        ("--allow-net=10.0.0.0/8", "net [::ffff:10.1.2.3]:6443", "granted"),
        ("--allow-net=10.0.0.0/8", "net ten.corp:6443", "missing"),
        ("--allow-net=localhost", "net 127.0.0.1:80", "missing"),
        ("--allow-net=0.0.0.0/0", "net [::1]:80", "missing"),
        ("--allow-net --deny-net=vault.corp", "net vault.corp:443", "--deny-net=vault.corp"),
        ("--allow-net=vault.corp --deny-net=*.corp:443", "net vault.corp:443", "--deny-net=*.corp:443"),
        ("--allow-net=vault.corp --deny-net=*.corp:443", "net vault.corp:80", "granted"),
        ("--allow-net=10.0.0.1 --deny-net=10.0.0.0/8", "net 10.0.0.1:80", "--deny-net=10.0.0.0/8"),
        ("--allow-net --deny-net=[::1]:443", "net [::1]:443", "'--deny-net=[::1]:443'"),
        // NAT64 would send this on to 10.0.0.1.
        ("--allow-net --deny-net=10.0.0.0/8", "net [64:ff9b::a00:1]:80", "--deny-net=10.0.0.0/8"),
        ("-A --deny-net", "net a.corp:1", "--deny-net"),
        ("", "connection prod", "missing"),
        ("-A", "connection prod", "granted"),
        ("--allow-connection", "connection prod", "granted"),
        ("--allow-connection=prod", "connection prod", "granted"),
        ("--allow-connection=prod", "connection prod-1", "missing"),
        ("--allow-connection=prod-*", "connection prod-1", "granted"),
        ("--allow-connection=prod-*", "connection prod", "missing"),
        ("--allow-connection=Prod", "connection prod", "missing"),
        ("--allow-net --allow-read --allow-run", "connection prod", "missing"),
        ("-A --deny-connection=prod-*", "connection prod-1", "'--deny-connection=prod-*'"),
        ("-A --deny-connection", "connection x", "--deny-connection"),
        ("--allow-read", "read /etc/passwd", "granted"),
        ("--allow-read=/etc", "read /etc", "granted"),
        ("--allow-read=/etc/", "read /etc/passwd", "granted"),
        ("--allow-read=/etc", "read /etcetera", "missing"),
        ("--allow-read=/etc", "read /", "missing"),
        ("--allow-read=/etc", "write /etc/passwd", "missing"),
        ("--allow-write=/etc", "read /etc/passwd", "missing"),
        ("--allow-read=/etc/passwd", "read /etc/passwd", "granted"),
        ("--allow-read=data", "read /work/data/x", "granted"),
        ("--allow-read=../data", "read /data/x", "granted"),
        ("--allow-read=/a/../etc", "read /etc/x", "granted"),
        ("--allow-read=/", "read relative", "missing"),
        ("--allow-read=/etc --deny-read=/etc/ssl", "read /etc/ssl/key", "--deny-read=/etc/ssl"),
        ("--allow-read=/etc --deny-read=/etc/ssl", "read /etc/sslx", "granted"),
        ("--allow-env=KUBECONFIG", "env KUBECONFIG", "granted"),
        ("--allow-env=KUBECONFIG", "env kubeconfig", "missing"),
        ("--allow-env=KUBERNETES_*", "env KUBERNETES_SERVICE_HOST", "granted"),
        ("--allow-env=KUBERNETES_*", "env KUBERNETES", "missing"),
        ("--allow-env --deny-env=AWS_*", "env AWS_SECRET", "'--deny-env=AWS_*'"),
        ("--allow-run=kubectl", "run kubectl", "granted"),
        ("--allow-run=kubectl", "run /usr/bin/kubectl", "missing"),
        ("--allow-run=kubectl", "run ./kubectl", "missing"),
        ("--allow-run=/opt/kubectl", "run kubectl", "granted"),
        ("--allow-run=/opt/kubectl", "run /opt/kubectl", "granted"),
        ("--allow-run=/opt/kubectl", "run /usr/bin/kubectl", "missing"),
        ("--allow-run --deny-run=sh", "run /bin/sh", "--deny-run=sh"),
        ("--allow-run --deny-run=/bin/sh", "run /bin/sh", "--deny-run=/bin/sh"),
        ("-A", "env ANY", "granted"),
        ("--wasi-read=/ --wasi-env --wasi-net", "read /etc/passwd", "missing"),
    ] {
        let expected = match expected {
            // Written as a shell would need it, which the table's first column cannot.
            "--deny-net=*.corp:443" => "'--deny-net=*.corp:443'",
            other => other,
        };
        assert_eq!(grants(flags).judge(&need(text)), verdict(expected), "{flags}: {text}");
    }
}

#[test]
fn everything_of_a_kind_is_granted_only_without_denials() {
    for (flags, expected) in [
        ("", "missing"),
        ("--allow-read=/", "missing"),
        ("--allow-read", "granted"),
        ("-A", "granted"),
        ("--allow-read --deny-read=/etc", "--deny-read=/etc"),
        ("--allow-read --deny-net", "granted"),
    ] {
        assert_eq!(grants(flags).judge_all(Kind::Read), verdict(expected), "{flags}");
    }
}

#[test]
fn canonical_roots_count_beside_the_given_ones() {
    let follow = |path: &Path| {
        path.strip_prefix("/var/run").ok().map(|rest| Path::new("/run").join(rest)).or(Some(path.to_owned()))
    };
    let grants = grants("--allow-read=/var/run/s --deny-read=/var/run/s/private").canonicalised(&follow);
    for (path, expected) in [
        ("/var/run/s/token", "granted"),
        ("/run/s/token", "granted"),
        ("/run/private", "missing"),
        ("/run/s/private/key", "--deny-read=/var/run/s/private"),
    ] {
        assert_eq!(grants.judge(&Need::Read(path.into())), verdict(expected), "{path}");
    }
    for (real, expected) in [
        ("/run/s/token", "granted"),
        ("/run/s/private/key", "--deny-read=/var/run/s/private"),
        // A real path can only be in a canonical root; this one means that the link was changed.
        ("/var/run/s/token", "missing"),
    ] {
        assert_eq!(grants.judge_real(Kind::Read, Path::new(real)), verdict(expected), "{real}");
    }
    assert_eq!(grants.judge_real(Kind::Net, Path::new("/run/s")), Verdict::Missing);
}

#[test]
fn programs_are_judged_by_what_was_found() {
    let find = |program: &OsStr| match program.to_str() {
        Some("kubectl") => Some(PathBuf::from("/usr/bin/kubectl")),
        Some("/usr/bin/k") => Some(PathBuf::from("/usr/bin/kubectl")),
        _ => None,
    };
    let located = |flags: &str| grants(flags).located(&find);
    let by_name = located("--allow-run=kubectl");
    assert!(by_name.judge(&need("run /usr/bin/kubectl")).is_granted());
    assert!(!by_name.judge(&need("run /tmp/kubectl")).is_granted());
    assert_eq!(by_name.program_by_path("kubectl"), None);
    let by_path = located("--allow-run=/opt/kubectl");
    assert_eq!(by_path.program_by_path("kubectl"), Some(Path::new("/opt/kubectl")));
    assert_eq!(by_path.program_by_path("helm"), None);
    assert_eq!(located("--allow-run").program_by_path("kubectl"), None);
    for (flags, program, found, canonical, expected) in [
        ("--allow-run=kubectl", "kubectl", "/usr/bin/kubectl", "/opt/k-1.36", "granted"),
        ("--allow-run=/opt/kubectl", "kubectl", "/opt/kubectl", "/opt/kubectl", "granted"),
        ("--allow-run=/opt/kubectl", "kubectl", "/usr/bin/kubectl", "/usr/bin/kubectl", "missing"),
        (
            "--allow-run --deny-run=/opt/k-1.36",
            "kubectl",
            "/usr/bin/kubectl",
            "/opt/k-1.36",
            "--deny-run=/opt/k-1.36",
        ),
        ("--allow-run --deny-run=/usr/bin/k", "kubectl", "/usr/bin/kubectl", "/x", "--deny-run=/usr/bin/k"),
        ("--allow-run=busy --deny-run=sh", "busy", "/bin/busy", "/bin/sh", "--deny-run=sh"),
    ] {
        let judged = located(flags).judge_program(program, Path::new(found), Path::new(canonical));
        assert_eq!(judged, verdict(expected), "{flags}: {program} at {found}, {canonical}");
    }
}

#[test]
fn connections_may_use_all_but_what_is_denied_and_what_the_guest_could_write() {
    let guests = grants(
        "--allow-connection=prod --deny-net=10.0.0.0/8 --deny-read=/etc/ssl --allow-write=/work --wasi-write=/data --deny-run=sh",
    );
    let own = guests.for_connections();
    for (text, expected) in [
        ("net api.corp:443", "granted"),
        ("net 10.0.0.1:443", "--deny-net=10.0.0.0/8"),
        ("read /home/me/.kube/config", "granted"),
        ("read /etc/ssl/key", "--deny-read=/etc/ssl"),
        ("write /work/x", "granted"),
        ("write /home/me/x", "missing"),
        ("env HOME", "granted"),
        ("run aws", "granted"),
        ("run sh", "--deny-run=sh"),
        ("connection prod", "missing"),
    ] {
        assert_eq!(own.judge(&need(text)), verdict(expected), "{text}");
    }
    assert!(own.wasi().judge(&need("write /data/x")).is_granted());
    assert!(own == grants("--deny-net=10.0.0.0/8 --deny-read=/etc/ssl --allow-write=/work --wasi-write=/data --deny-run=sh --allow-env=X").for_connections());
    assert!(own != grants("--deny-net=10.0.0.0/8").for_connections());
    assert!(grants("-A").for_connections() == grants("--allow-connection=prod").for_connections());
    let narrowed = guests.narrow(&grants("-A --deny-env=TOKEN")).for_connections();
    assert_eq!(narrowed.judge(&need("env TOKEN")), verdict("--deny-env=TOKEN"));
    assert_eq!(narrowed.judge(&need("net 10.0.0.1:443")), verdict("--deny-net=10.0.0.0/8"));
}

#[test]
fn a_child_narrows() {
    let parent = grants("--allow-read=/data,/etc --allow-net --deny-net=vault.corp --allow-run=kubectl,helm");
    let child = parent
        .narrow(&grants("--allow-read=/etc/ssl,/home --allow-net=*.corp -A --deny-read=/etc/ssl/private"));
    // `-A` of a child is bounded by its parent.
    for (text, expected) in [
        ("read /etc/ssl/x", "granted"),
        ("read /etc/passwd", "granted"),
        ("read /home/x", "missing"),
        ("read /etc/ssl/private/key", "--deny-read=/etc/ssl/private"),
        ("net a.corp:1", "granted"),
        ("net vault.corp:1", "--deny-net=vault.corp"),
        ("run kubectl", "granted"),
        ("run sh", "missing"),
        ("env HOME", "missing"),
    ] {
        assert_eq!(child.judge(&need(text)), verdict(expected), "{text}");
    }
    let narrowed = grants("--allow-read=/etc,/data").narrow(&grants("--allow-read=/etc/ssl,/home,/"));
    let roots: Vec<&Path> = narrowed.path_roots(Kind::Read).0.iter().map(|root| root.given()).collect();
    assert_eq!(roots, ["/etc/ssl", "/etc", "/data"].map(Path::new));
    assert!(!parent.narrow(&Grants::none()).judge(&need("read /etc/x")).is_granted());
}

#[test]
fn refusals_name_every_flag_at_once() {
    let missing = |text: &str, denied_by: Option<&str>| Missing {
        need: need(text),
        denied_by: denied_by.map(str::to_owned),
    };
    for (all, text, flags) in [
        (
            vec![missing("read /var/run/secrets", None)],
            "read access to \"/var/run/secrets\", run again with --allow-read=/var/run/secrets",
            vec!["--allow-read=/var/run/secrets"],
        ),
        (
            vec![missing("net [::1]:443", None)],
            "network access to \"[::1]:443\", run again with '--allow-net=[::1]:443'",
            vec!["'--allow-net=[::1]:443'"],
        ),
        (
            vec![missing("env HOME", None), missing("run kubectl", None), missing("env HOME", None)],
            "access to environment variable \"HOME\", access to run \"kubectl\" and access to environment variable \
             \"HOME\", run again with --allow-env=HOME --allow-run=kubectl",
            vec!["--allow-env=HOME", "--allow-run=kubectl"],
        ),
        (
            vec![missing("read /etc/x", Some("--deny-read=/etc")), missing("env HOME", None)],
            "read access to \"/etc/x\", which --deny-read=/etc refuses, run again without it; access to environment \
             variable \"HOME\", run again with --allow-env=HOME",
            vec!["--allow-env=HOME"],
        ),
        (
            vec![missing("read /tmp/\u{1b}[2Jx", None)],
            "read access to \"/tmp/\\u{1b}[2Jx\", run again with $'--allow-read=/tmp/\\x1b[2Jx'",
            vec!["$'--allow-read=/tmp/\\x1b[2Jx'"],
        ),
    ] {
        let denied = Denied { missing: all };
        assert_eq!(denied.to_string(), text);
        assert_eq!(denied.flags(), flags);
    }
}

#[test]
fn the_guests_own_reach_is_apart_and_bounded_by_denials() {
    let grants =
        grants("--wasi-read=/data,/etc,/home/u --wasi-write=/out --wasi-env=LANG --deny-read=/etc/ssl");
    let wasi = grants.wasi();
    assert!(wasi.judge(&need("env LANG")).is_granted());
    assert!(!wasi.judge(&need("run sh")).is_granted());
    assert_eq!(wasi.judge(&need("read /etc/ssl/key")), verdict("--deny-read=/etc/ssl"));
    assert_eq!(
        Kind::ALL.map(|kind| wasi.is_empty(kind)),
        [true, false, false, false, true, true, true],
        "net, read, write, env, run, listen, connection"
    );
    let (open, refused) = wasi.preopens(&["/home/u/.kube/config".into()]);
    assert_eq!(open.iter().map(|one| one.path.to_str().unwrap()).collect::<Vec<_>>(), ["/data", "/out"]);
    let texts: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert!(
        texts[0].starts_with("--wasi-read of \"/etc\" is refused: --deny-read names \"/etc/ssl\""),
        "{texts:?}"
    );
    assert!(texts[1].contains("it would reach \"/home/u/.kube/config\""), "{texts:?}");
}

#[test]
fn a_guests_root_folder_never_holds_what_is_protected() {
    let protected = [PathBuf::from("/run/secrets/token")];
    for (flags, opened) in [
        ("--wasi-read", 0),
        ("--wasi-read=/", 0),
        ("--wasi-write=/run/secrets", 0),
        ("--wasi-read=/run/secrets/token/deeper", 0),
        ("--wasi-read=/run/other", 1),
        ("--wasi-read=/run/other --deny-read", 0),
        ("--wasi-write=/run/other --deny-read=/run", 0),
        ("-A", 0),
    ] {
        assert_eq!(grants(flags).wasi().preopens(&protected).0.len(), opened, "{flags}");
    }
}

#[test]
fn a_guest_may_look_up_what_it_may_reach_on_some_port() {
    for (flags, host, admitted) in [
        ("--wasi-net=a.corp:6443", "a.corp", true),
        ("--wasi-net=*.corp", "a.corp", true),
        ("--wasi-net=*.corp", "corp", false),
        ("--wasi-net", "any.org", true),
        ("--allow-net", "any.org", false),
        ("--wasi-net --deny-net=a.corp", "a.corp", false),
        ("--wasi-net --deny-net=a.corp:80", "a.corp", true),
        ("--wasi-net --deny-net", "a.corp", false),
        ("--wasi-net=10.0.0.0/8:443", "10.1.1.1", true),
        ("--wasi-net=10.0.0.0/8", "a.corp", false),
    ] {
        let host = tidegate_grants::Host::parse(host).unwrap();
        assert_eq!(grants(flags).wasi().admits_host(&host), admitted, "{flags}: {host}");
    }
}
