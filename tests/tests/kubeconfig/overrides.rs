//! What goes before what a kubeconfig says: the command line's is in `located`, here are an embedder's and a named connection's.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Choice, Error, KubeConfigOptions, Options};
use tidegate::{Engine, Output};
use tidegate_tests::{Door, Outcome, Recorder, Run, guest, program};

use crate::place::Place;

/// Both servers in one file, its current context that of the first; a proxy that leads nowhere is before the second.
fn both(place: &Place) -> PathBuf {
    let (one, two) = (place.one.url(), place.two.url());
    let path = place.at("both");
    let authorities = ["ca.crt", "sub/ca.crt"].map(|name| std::fs::read_to_string(place.at(name)).unwrap());
    std::fs::write(place.at("bundle.crt"), authorities.concat()).unwrap();
    let text = format!(
        "clusters: [{{name: one, cluster: {{server: '{one}', certificate-authority: bundle.crt}}}}, \
         {{name: two, cluster: {{server: '{two}', certificate-authority: bundle.crt}}}}, \
         {{name: behind, cluster: {{server: '{one}', certificate-authority: bundle.crt, proxy-url: 'http://127.0.0.1:1'}}}}]
users: [{{name: one, user: {{token: of-one}}}}, {{name: two, user: {{token: of-two}}}}]
contexts: [{{name: one, context: {{cluster: one, user: one}}}}, {{name: two, context: {{cluster: two, user: two}}}}]
current-context: one\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

type Set = Box<dyn Fn(&mut KubeConfigOptions)>;

/// What an embedder sets, and who is asked with which token then.
fn rows(place: &Place, proxy: &str) -> Vec<(&'static str, Set, &'static str, &'static str)> {
    let (server, proxy) = (place.one.url(), proxy.to_owned());
    let text = |text: &str| Some(text.to_owned());
    vec![
        ("nothing", Box::new(|_| {}), "one", "of-one"),
        ("a context", Box::new(move |own| own.context = text("two")), "two", "of-two"),
        ("a cluster", Box::new(move |own| own.cluster = text("two")), "two", "of-one"),
        ("a user", Box::new(move |own| own.user = text("two")), "one", "of-two"),
        (
            "a cluster and a user",
            Box::new(move |own| (own.cluster, own.user) = (text("two"), text("two"))),
            "two",
            "of-two",
        ),
        (
            "a server",
            Box::new(move |own| (own.context, own.server) = (text("two"), Some(server.clone()))),
            "one",
            "of-two",
        ),
        (
            "a proxy",
            Box::new(move |own| (own.cluster, own.proxy) = (text("behind"), Some(proxy.clone()))),
            "one",
            "of-one",
        ),
    ]
}

fn grants(place: &Place, recorder: &Recorder) -> Grants {
    let net = [place.one.address(), place.two.address(), recorder.address(Door::HttpProxy).to_string()];
    let mut builder = Grants::builder();
    builder.allow(Kind::Net, Some(&net.join(","))).unwrap();
    builder.allow(Kind::Read, place.folder.path().to_str()).unwrap();
    builder.build()
}

#[tokio::test]
async fn an_embedders() {
    let (place, recorder) = (Place::new(), Recorder::start());
    let file = both(&place);
    let engine = Engine::builder().compiler(program("tidegate-compile")).build().unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    for (what, set, server, token) in rows(&place, &format!("http://{}", recorder.address(Door::HttpProxy))) {
        let mut options = Options::new("fleet/1.0");
        options.kubeconfig.path = Some(file.clone());
        set(&mut options.kubeconfig);
        let proxied = recorder.connections();
        let choice = Choice::ReadKubeConfig { path: None, context: None };
        tidegate::reach(grants(&place, &recorder), &options, Some(choice)).await.unwrap();
        place.expect_token(what, server, token);
        assert_eq!(recorder.connections() > proxied, what == "a proxy", "{what}");

        // The same for a guest that it runs, which has no say in it.
        for (context, refused) in [(None, false), (Some("two"), !matches!(what, "nothing" | "a context"))] {
            let (stdout, written) = Output::capture(1 << 20);
            let run = script.run().grants(grants(&place, &recorder)).options(options.clone());
            let mut arguments = vec!["--via", "kube-config"];
            arguments.extend(context.iter().flat_map(|context| ["--context", context]));
            arguments.push("/x");
            run.arguments(arguments).stdout(stdout).stderr(Output::null()).start().await.unwrap();
            let written = written.text();
            assert_eq!(
                written.starts_with("error unsupported: the host pinned"),
                refused,
                "{what}: {written}"
            );
            if context.is_none() {
                place.expect_token(what, server, token);
            }
        }
    }
}

#[tokio::test]
async fn an_embedders_that_cannot_be_used() {
    let (place, recorder) = (Place::new(), Recorder::start());
    let file = both(&place);
    let text = |text: &str| Some(text.to_owned());
    let rows: [(&str, Set, &str); 6] = [
        ("a context", Box::new(move |own| own.context = text("z")), "context \"z\" does not exist"),
        ("a cluster", Box::new(move |own| own.cluster = text("z")), "cluster \"z\""),
        ("a user", Box::new(move |own| own.user = text("z")), "user \"z\""),
        ("a server", Box::new(move |own| own.server = text("ftp://me:s3cr3t@h")), "(--server) is unusable"),
        ("a proxy", Box::new(move |own| own.proxy = text("ftp://me:s3cr3t@h")), "(--proxy-url) must be http"),
        ("a port", Box::new(move |own| own.proxy = text("http://me:s3cr3t@h:x")), "(--proxy-url): its port"),
    ];
    for (what, set, words) in rows {
        let mut options = Options::new("fleet/1.0");
        options.kubeconfig.path = Some(file.clone());
        set(&mut options.kubeconfig);
        assert!(!format!("{options:?}").contains("s3cr3t"), "{what}");
        let choice = Choice::ReadKubeConfig { path: None, context: None };
        let reached = tidegate::reach(grants(&place, &recorder), &options, Some(choice)).await;
        let report = reached.map(drop).map_err(|error: Error| error.report()).unwrap_err();
        assert!(report.contains(words) && !report.contains("s3cr3t"), "{what}: {report}");
    }
    assert_eq!(place.one.connections() + place.two.connections(), 0);
}

/// What `connections:` holds, written as the file that `--config` names.
fn configured(place: &Place, conn_opts: &str) -> PathBuf {
    let path = place.at("tidegate.yaml");
    let text = format!("connections:\n  it: {{conn: both, conn_opts: {{{conn_opts}}}}}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn ask(config: &std::path::Path) -> Run {
    let run = Run::guest("ask").flag_path("--config", config).flag("--allow-connection=it");
    run.arguments(&["--via", "connection=it", "/x"])
}

#[test]
fn a_named_connections() {
    let (place, recorder) = (Place::new(), Recorder::start());
    both(&place);
    let proxy = recorder.address(Door::HttpProxy);
    let to_one = format!("context: two, server: '{}'", place.one.url());
    let by_proxy = format!("cluster: behind, user: one, proxy_url: 'http://me:s3cr3t@{proxy}'");
    for (conn_opts, server, token) in [
        ("context: two", "two", "of-two"),
        ("cluster: two, user: one", "two", "of-one"),
        (to_one.as_str(), "one", "of-two"),
        (by_proxy.as_str(), "one", "of-one"),
    ] {
        let config = configured(&place, conn_opts);
        place.expect_asked(conn_opts, ask(&config).run(), server, token);
    }
    assert!(recorder.connections() > 0);

    // The grant of the name covers the proxy, and a denial wins.
    let config = configured(&place, &by_proxy);
    let outcome = ask(&config).flag(format!("--deny-net={proxy}")).run().expect_code(3);
    assert!(outcome.stdout.contains("error permission-denied"), "{outcome:?}");
    // Where it leads is shown, and its password is not.
    let shown = |command: &str| -> Outcome {
        Run::command("connections").flags(command).flag_path("--config", &config).run().expect_code(0)
    };
    for outcome in [shown("list"), shown("show it"), shown("list --json"), shown("show --json it")] {
        assert!(outcome.stdout.contains(&proxy.to_string()), "{outcome:?}");
        assert!(!outcome.everything().contains("s3cr3t"), "{outcome:?}");
    }
}

#[test]
fn a_named_connections_that_cannot_be_used() {
    let (place, recorder) = (Place::new(), Recorder::start());
    both(&place);
    for (conn_opts, words) in [
        ("server: 'ftp://me:s3cr3t@h'", "server: "),
        ("server: 7", "server is text, not a number"),
        (
            "proxy_url: 'ftp://me:s3cr3t@h'",
            "proxy_url: the proxy's URL cannot be used: its scheme must be http",
        ),
        ("proxy_url: 'http://me:s3cr3t@h:x'", "its port is no number from 1 to 65535"),
        ("proxy-url: 'http://me:s3cr3t@h'", "did you mean proxy_url?"),
        ("context: one, cluster: one", "not both"),
    ] {
        let config = configured(&place, conn_opts);
        let outcome = ask(&config).run().expect_code(125);
        assert!(outcome.stderr.contains("tidegate.yaml:2: "), "{conn_opts}: {outcome:?}");
        assert!(outcome.stderr.contains(words), "{conn_opts}: {outcome:?}");
        assert!(!outcome.everything().contains("s3cr3t"), "{conn_opts}: {outcome:?}");
    }
    assert_eq!(place.one.connections() + recorder.connections(), 0);
}
