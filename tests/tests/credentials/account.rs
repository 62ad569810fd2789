//! A service account's folder that is incomplete, broken or somebody else's: never a connection without verification, never a request
//! without the token, never another file than those in the folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tidegate_tests::{Act, Outcome, Peer, Run, TOKEN};

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

fn ask(peer: &Peer, folder: &Path) -> Outcome {
    let run = Run::asking(peer, "in-cluster")
        .flag_path("--service-account", folder)
        .flag_path("--allow-read", folder);
    run.flag(format!("--in-cluster-address={}", peer.address())).flag("-v").argument("/x").run()
}

/// As the kubelet lays it out: each file is a link into a folder that is a link, so that all change at once.
fn kubelet(peer: &Peer, folder: &Path) {
    fs::create_dir_all(folder.join("..2026_01")).unwrap();
    for name in ["token", "ca.crt", "namespace"] {
        fs::copy(peer.folder().join(name), folder.join("..2026_01").join(name)).unwrap();
        symlink(format!("..data/{name}"), folder.join(name)).unwrap();
    }
    symlink("..2026_01", folder.join("..data")).unwrap();
}

#[test]
fn a_folder_as_the_kubelet_makes_it_works() {
    let (peer, folder) = (peer(), tempfile::tempdir().unwrap());
    kubelet(&peer, folder.path());
    for token in [TOKEN.to_owned(), format!("{TOKEN}\n"), format!("  {TOKEN}\r\n")] {
        fs::write(folder.path().join("..2026_01/token"), token).unwrap();
        ask(&peer, folder.path()).expect_code(0);
        let asked = peer.seen().pop().unwrap();
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
}

/// What is done to a folder that was whole.
type Spoil<'a> = dyn Fn(&Path) + 'a;

#[test]
fn what_is_missing_or_broken_is_an_error_before_any_connection() {
    let peer = peer();
    let secret = "s3cr3t";
    let rows: [(&str, &Spoil); 13] = [
        ("no ca.crt", &|folder| fs::remove_file(folder.join("ca.crt")).unwrap()),
        ("an empty ca.crt", &|folder| fs::write(folder.join("ca.crt"), "").unwrap()),
        ("a ca.crt of words", &|folder| fs::write(folder.join("ca.crt"), secret).unwrap()),
        ("a broken ca.crt", &|folder| {
            let pem = format!("-----BEGIN CERTIFICATE-----\n{secret}!\n-----END CERTIFICATE-----\n");
            fs::write(folder.join("ca.crt"), pem).unwrap();
        }),
        ("a ca.crt that is a folder", &|folder| {
            fs::remove_file(folder.join("ca.crt")).unwrap();
            fs::create_dir(folder.join("ca.crt")).unwrap();
        }),
        ("no token", &|folder| fs::remove_file(folder.join("token")).unwrap()),
        ("an empty token", &|folder| fs::write(folder.join("token"), "").unwrap()),
        ("a token of spaces", &|folder| fs::write(folder.join("token"), " \n\t").unwrap()),
        ("a token with a line break in it", &|folder| {
            fs::write(folder.join("token"), format!("{secret}\r\nX: {secret}")).unwrap()
        }),
        ("a token of bytes", &|folder| fs::write(folder.join("token"), [0, 159, 146, 150]).unwrap()),
        ("a token that is a pipe", &|folder| {
            fs::remove_file(folder.join("token")).unwrap();
            let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
            rustix::fs::mknodat(rustix::fs::CWD, folder.join("token"), kind, mode, 0).unwrap();
        }),
        ("a token that is elsewhere", &|folder| {
            fs::remove_file(folder.join("token")).unwrap();
            symlink("/etc/hostname", folder.join("token")).unwrap();
        }),
        ("a token without end", &|folder| {
            fs::remove_file(folder.join("token")).unwrap();
            symlink("/dev/zero", folder.join("token")).unwrap();
        }),
    ];
    for (what, spoil) in rows {
        let folder = tempfile::tempdir().unwrap();
        for name in ["token", "ca.crt", "namespace"] {
            fs::copy(peer.folder().join(name), folder.path().join(name)).unwrap();
        }
        spoil(folder.path());
        let outcome = ask(&peer, folder.path());
        assert_eq!(outcome.code(), 3, "{what}: {outcome:?}");
        assert!(!outcome.everything().contains(secret), "{what}: {outcome:?}");
        assert!(!outcome.everything().contains(TOKEN), "{what}: {outcome:?}");
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

#[test]
fn a_folder_that_is_none_says_so() {
    let (peer, folder) = (peer(), tempfile::tempdir().unwrap());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [folder.path().join("nothing"), file, folder.path().to_path_buf()] {
        let outcome = ask(&peer, &path).expect_code(3);
        assert!(outcome.stdout.starts_with("error not-configured: "), "{}: {outcome:?}", path.display());
    }
}

/// The environment of a pod is set by whoever made the pod, and is only a host and a port.
#[test]
fn an_address_that_is_none_is_refused() {
    let peer = peer();
    let address = peer.address();
    let (host, port) = address.rsplit_once(':').unwrap();
    let run = |host: &str, port: &str| {
        let run =
            Run::guest("ask").flags("--allow-net --allow-env").flag_path("--service-account", &peer.folder());
        let run = run.flag_path("--allow-read", &peer.folder()).flag("--probe-deadline=1s");
        let run = run.variable("KUBERNETES_SERVICE_HOST", host).variable("KUBERNETES_SERVICE_PORT", port);
        run.arguments(&["--via", "in-cluster", "/x"]).run()
    };
    run(host, port).expect_code(0);
    let seen = peer.seen().len();
    for (host, port) in [
        ("127.0.0.1/../evil", port),
        ("127.0.0.1@evil", port),
        ("user:pass@127.0.0.1", port),
        ("127.0.0.1\r\nX: y", port),
        ("127.0.0.1 x", port),
        ("127.0.0.1#", port),
        ("", port),
        (host, "0"),
        (host, "65536"),
        (host, "-1"),
        (host, "443 x"),
        (host, "443\r\nX: y"),
        (host, "/x"),
    ] {
        let outcome = run(host, port);
        assert_eq!(outcome.code(), 3, "{host:?}:{port:?}: {outcome:?}");
    }
    assert_eq!(peer.seen().len(), seen);
}
