//! Files are opened beneath the folder that was granted, which is held: no link, no swap and no second meaning of a path leads out of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::mount::{MountFlags, mount};
use tempfile::TempDir;
use tidegate_tests::{Act, Network, Outcome, Peer, Run, TOKEN, skipped};

/// A granted folder with a kubeconfig, and one beside it whose kubeconfig leads to another server.
struct Place {
    folder: TempDir,
    inside: Peer,
    outside: Peer,
}

impl Place {
    fn new() -> Place {
        let peer = || Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]));
        let place = Place { folder: tempfile::tempdir().unwrap(), inside: peer(), outside: peer() };
        for (name, peer) in [("granted", &place.inside), ("outside", &place.outside)] {
            fs::create_dir_all(place.at(name).join("sub")).unwrap();
            let config = inline(peer);
            fs::write(place.at(name).join("config"), &config).unwrap();
            fs::write(place.at(name).join("sub/config"), &config).unwrap();
        }
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asks through the kubeconfig at `config`, with read of `granted` and the network to both servers.
    fn run(&self, granted: &[&str], config: &str) -> Run {
        let run = Run::guest("ask").flag("--allow-net=127.0.0.1").flag_path("--kubeconfig", &self.at(config));
        let run = granted.iter().fold(run, |run, name| run.flag_path("--allow-read", &self.at(name)));
        run.arguments(&["--via", "kube-config", "/x"])
    }

    /// Refused with this text, with nothing asked of anybody.
    #[track_caller]
    fn refused(&self, what: &str, run: Run, text: &str) {
        let (outcome, trace) = run.traced();
        assert_eq!(outcome.code(), 3, "{what}: {outcome:?}");
        let told = outcome.stdout.contains("error permission-denied: ") && outcome.stdout.contains(text);
        assert!(told, "{what}: no {text:?} in {outcome:?}");
        assert_eq!(self.inside.connections() + self.outside.connections(), 0, "{what}");
        let read =
            opened(&trace, "outside").find(|line| !line.contains("O_PATH") && !line.contains(" = -1 "));
        assert_eq!(read, None, "{what}");
    }
}

/// A kubeconfig that names no other file: that would need a grant of its own.
fn inline(peer: &Peer) -> String {
    let authority = peer.folder().join("ca.crt");
    let named = format!("certificate-authority: '{}'", authority.display());
    let given = format!("certificate-authority-data: {}", STANDARD.encode(fs::read(authority).unwrap()));
    peer.kubeconfig_with(&format!("{{token: '{TOKEN}'}}")).replace(&named, &given)
}

/// The lines of a trace that open something with this in its name; not those that start a program.
fn opened<'a>(trace: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    trace
        .lines()
        .filter(move |line| line.contains("open") && line.contains(name) && !line.contains("execve("))
}

/// A root that is a link stands for itself and for where it leads.
#[test]
fn a_root_is_known_by_its_real_path_too() {
    let place = Place::new();
    symlink(place.at("granted"), place.at("link")).unwrap();
    symlink("link", place.at("twice")).unwrap();
    for (granted, config) in [
        ("granted", "granted/sub/config"),
        ("link", "granted/sub/config"),
        ("link", "link/sub/config"),
        ("twice", "granted/sub/config"),
        ("twice", "twice/sub/config"),
        ("link/sub", "granted/sub/config"),
        ("link/sub/config", "granted/sub/config"),
        ("link/sub/config", "link/sub/config"),
        ("twice/sub/config", "twice/sub/config"),
    ] {
        let outcome = place.run(&[granted], config).run();
        assert_eq!(outcome.code(), 0, "{granted}, {config}: {outcome:?}");
    }
    for (granted, config) in [("link/sub", "granted/config"), ("twice/sub/config", "twice/config")] {
        let outcome = place.run(&[granted], config).run().expect_code(3);
        assert!(outcome.stdout.contains("error permission-denied: "), "{granted}, {config}: {outcome:?}");
    }
    assert_eq!(place.outside.connections(), 0);
}

/// `/var/run` → `/run`: links of the system itself count both ways.
#[test]
fn a_link_of_the_systems_own_is_seen_through() {
    let test = "files::a_link_of_the_systems_own_is_seen_through";
    if fs::canonicalize("/var/run").ok().as_deref() != Some(Path::new("/run")) {
        return skipped(test, "/var/run is no link to /run here");
    }
    let Some(_network) = Network::of_its_own(test, &[]) else { return };
    let place = Place::new();
    // This namespace's own.
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).unwrap();
    for (folder, from) in [("secrets", "granted"), ("beside", "outside")] {
        fs::create_dir(Path::new("/run").join(folder)).unwrap();
        fs::copy(place.at(from).join("config"), Path::new("/run").join(folder).join("config")).unwrap();
    }
    for granted in ["/var/run/secrets", "/run/secrets", "/run/secrets/config", "/var/run/secrets/config"] {
        for run in ["/run", "/var/run"] {
            let ask = |folder: &str| place.run(&[granted], &format!("{run}/{folder}/config"));
            let outcome = ask("secrets").run();
            assert_eq!(outcome.code(), 0, "{granted}, {run}: {outcome:?}");
            ask("beside").run().expect_code(3).expect_line("error permission-denied: ");
            let denied = ask("secrets").flag("--deny-read=/run/secrets").run();
            denied.expect_code(3).expect_line("error permission-denied: ");
        }
    }
    assert_eq!(place.outside.connections(), 0);
}

#[test]
fn no_link_leads_out_of_a_granted_folder() {
    let place = Place::new();
    let links: [(&str, &Path); 5] = [
        ("granted/absolute", &place.at("outside/config")),
        ("granted/relative", Path::new("../outside/config")),
        ("granted/folder", &place.at("outside")),
        ("granted/chain", Path::new("relative")),
        ("granted/sub/up", Path::new("../..")),
    ];
    for (link, target) in links {
        symlink(target, place.at(link)).unwrap();
    }
    let outside = place.at("outside");
    for config in [
        "granted/absolute",
        "granted/relative",
        "granted/folder/config",
        "granted/folder/sub/config",
        "granted/chain",
        "granted/sub/up/outside/config",
    ] {
        let text = format!("leads outside of what is granted: read access to \"{}", outside.display());
        place.refused(config, place.run(&["granted"], config), &text);
    }
    for config in ["granted/../outside/config", "outside/config"] {
        place.refused(config, place.run(&["granted"], config), "run again with --allow-read=");
    }
    // Into another granted folder a link may lead.
    let outcome = place.run(&["granted", "outside"], "granted/relative").run();
    assert_eq!((outcome.code(), place.outside.connections()), (0, 1), "{outcome:?}");
    // Unless that is denied, by whatever name.
    symlink(place.at("outside"), place.at("alias")).unwrap();
    for denied in ["outside", "alias", "outside/config", "alias/config"] {
        let run = place.run(&["granted", "outside"], "granted/relative");
        let outcome = run.flag_path("--deny-read", &place.at(denied)).run().expect_code(3);
        assert!(outcome.stdout.contains("--deny-read="), "{denied}: {outcome:?}");
    }
    assert_eq!(place.outside.connections(), 1);
}

/// Not resolved first and opened after: the name that is opened is beneath a folder that is held, in one step.
#[test]
fn a_file_is_opened_beneath_its_root() {
    let place = Place::new();
    let (outcome, trace) = place.run(&["granted"], "granted/sub/config").traced();
    outcome.expect_code(0);
    let opens: Vec<&str> = opened(&trace, "sub/config\"").collect();
    assert!(!opens.is_empty(), "{trace}");
    for line in opens {
        let beneath = line.contains("openat2(") && line.contains("RESOLVE_BENEATH");
        assert!(beneath && line.contains(&format!("<{}>", place.at("granted").display())), "{line}");
    }
}

/// Somebody swaps a folder for a link that leads elsewhere, and back, as fast as the machine can.
#[test]
fn no_swap_leads_out_of_a_granted_folder() {
    let place = Place::new();
    symlink(place.at("outside/sub"), place.at("granted/trap")).unwrap();
    let (folder, trap) = (place.at("granted/sub"), place.at("granted/trap"));
    let over = Arc::new(AtomicBool::new(false));
    let ends = over.clone();
    let swapper = std::thread::spawn(move || {
        let mut swaps = 0_u64;
        while !ends.load(Ordering::SeqCst) {
            renameat_with(CWD, &folder, CWD, &trap, RenameFlags::EXCHANGE).unwrap();
            swaps += 1;
        }
        swaps
    });
    let outcomes: Vec<Outcome> =
        (0..40).map(|_| place.run(&["granted"], "granted/sub/config").run()).collect();
    over.store(true, Ordering::SeqCst);
    assert!(swapper.join().unwrap() > 1_000);
    assert_eq!(place.outside.connections(), 0, "{:?}", place.outside.seen());
    for outcome in outcomes {
        let refused = outcome.stdout.contains("error permission-denied: ");
        let changing = outcome.stdout.contains("error not-configured: ");
        assert!(outcome.code() == 0 || refused || changing, "{outcome:?}");
    }
}

/// The link that was granted is turned elsewhere after tidegate started: the token is read again where the grant was, never there.
#[test]
fn a_granted_link_that_turns_gives_no_other_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (link, other) = (at("link"), at("other"));
    let peer = Peer::answering(move |asked| {
        asked.or_api(|| {
            // Refused: the file may hold a newer token.
            let _ = fs::remove_file(&link);
            let _ = symlink(&other, &link);
            vec![Act::respond("401 Unauthorized", "", "")]
        })
    });
    for (name, token) in [("own", TOKEN), ("other", "s3cond.t0ken")] {
        fs::create_dir(at(name)).unwrap();
        fs::copy(peer.folder().join("ca.crt"), at(name).join("ca.crt")).unwrap();
        fs::write(at(name).join("namespace"), "web").unwrap();
        fs::write(at(name).join("token"), token).unwrap();
    }
    symlink(at("own"), at("link")).unwrap();
    let run = Run::asking(&peer, "in-cluster").flag(format!("--in-cluster-address={}", peer.address()));
    let run = run.flag_path("--service-account", &at("link")).flag_path("--allow-read", &at("link"));
    run.argument("/x").run().expect_code(3).expect_line("error status 401 ");
    let sent: Vec<String> =
        peer.seen().iter().filter_map(|asked| Some(asked.header("authorization")?.to_owned())).collect();
    assert!(sent.len() >= 2 && sent.iter().all(|header| *header == format!("Bearer {TOKEN}")), "{sent:?}");
}

/// No flag, no value and no rule grant nothing.
#[test]
fn empty_is_deny() {
    let place = Place::new();
    let config = place.at("granted/config").display().to_string();
    let cure = format!("run again with --allow-read={config}");
    place.refused("no flag", place.run(&[], "granted/config"), &cure);
    place.refused("another kind", place.run(&[], "granted/config").flags("--allow-write --allow-env"), &cure);
    place.refused("another path", place.run(&["granted/sub"], "granted/config"), &cure);
    for kind in ["net", "read", "write", "env", "run"] {
        for flag in [format!("--allow-{kind}="), format!("--allow-{kind}=,"), format!("--deny-{kind}=")] {
            let outcome = place.run(&[], "granted/config").flag(&flag).run().expect_code(2);
            assert!(
                outcome.stderr.contains(&format!("--allow-{kind}")) || flag.contains("deny"),
                "{outcome:?}"
            );
        }
    }
    for kind in ["net", "read", "write", "env", "run"] {
        let query = Run::guest("handles").arguments(&["query", kind, "x"]).run().expect_code(0);
        assert_eq!(query.stdout.trim(), "x denied", "{kind}");
    }
}
