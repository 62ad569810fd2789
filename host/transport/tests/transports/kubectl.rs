//! KubectlRaw against a script that records how it was started.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Choice, Code, Error, Feature, Kind, Options, Transport, body_channel, connect};

use crate::setup::{Heard, authority, get, options, request, send};

/// A kubectl that answers the probe, and runs `script` for everything else.
pub(crate) struct Kubectl {
    folder: TempDir,
    options: Options,
}

impl Kubectl {
    pub(crate) fn new(script: &str) -> Kubectl {
        let folder = tempfile::tempdir().expect("folder");
        let program = folder.path().join("kubectl");
        let here = folder.path().display();
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in *--raw=/api) echo '{{\"kind\":\"APIVersions\"}}'; exit 0;; esac\n\
             printf '%s\\n' \"$@\" > {here}/arguments\nenv | sort > {here}/environment\n{script}\n"
        );
        std::fs::write(&program, text).expect("script");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        Kubectl { folder, options: options() }
    }

    pub(crate) async fn connect(&self) -> Result<Arc<dyn Transport>, Error> {
        self.connect_with(&[("LD_PRELOAD", "/evil.so"), ("HOME", "/home/me"), ("SECRET", "x")], None).await
    }

    async fn connect_with(
        &self,
        environment: &[(&str, &str)],
        context: Option<&str>,
    ) -> Result<Arc<dyn Transport>, Error> {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
        let environment = [environment, &[("PATH", &path)]].concat();
        let granted = authority(&[("run", "kubectl")], &environment);
        connect(&granted, &self.options, Choice::KubectlRaw { context: context.map(str::to_owned) }).await
    }

    fn wrote(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[tokio::test]
async fn it_is_started_with_these_arguments_and_this_environment() {
    let mut kubectl = Kubectl::new("echo '{}'");
    let heard = Arc::new(Heard::default());
    kubectl.options.observer = heard.clone();
    kubectl.options.kubectl.cache = Some(kubectl.path("cache"));
    let variables =
        [("LD_PRELOAD", "/evil.so"), ("DYLD_INSERT_LIBRARIES", "x"), ("HOME", "/h"), ("SECRET", "x")];
    let transport = kubectl.connect_with(&variables, Some("dev")).await.expect("connect");
    assert_eq!(
        (transport.kind(), transport.server().as_str()),
        (Kind::KubectlRaw, "kubectl's context \"dev\"")
    );
    assert_eq!(get(&transport, "/api/v1/pods?limit=1").await.expect("get"), "{}\n");
    let cache = format!("--cache-dir={}", kubectl.path("cache").display());
    assert_eq!(
        kubectl.wrote("arguments"),
        format!("{cache}\n--context=dev\nget\n--raw=/api/v1/pods?limit=1\n")
    );
    let environment = kubectl.wrote("environment");
    for (line, there) in
        [("KUBERC=off\n", true), ("HOME=/h\n", true), ("SECRET=x\n", true), ("LD_", false), ("DYLD_", false)]
    {
        assert_eq!(environment.contains(line), there, "{line}");
    }
    let program = kubectl.path("kubectl").display().to_string();
    assert_eq!(
        heard.lines()[2..],
        [
            format!("$ {program} {cache} --context=dev get '--raw=/api/v1/pods?limit=1'"),
            "GET /api/v1/pods?limit=1 200".to_owned(),
        ]
    );

    kubectl.options.kubectl.child_env =
        Some(vec!["HOME".to_owned(), "LD_PRELOAD".to_owned(), "PATH".to_owned()]);
    let transport = kubectl.connect_with(&variables, None).await.expect("connect");
    get(&transport, "/x").await.expect("get");
    let environment = kubectl.wrote("environment");
    assert!(
        environment.contains("HOME=/h\n") && !environment.contains("SECRET") && !environment.contains("LD_")
    );
}

#[tokio::test]
async fn the_hosts_context_is_the_only_one() {
    let mut kubectl = Kubectl::new("echo '{}'");
    for (host, guest, context) in [
        (None, None, Some("kubectl's current context")),
        (None, Some("dev"), Some("kubectl's context \"dev\"")),
        (Some("dev"), None, Some("kubectl's context \"dev\"")),
        (Some("dev"), Some("dev"), Some("kubectl's context \"dev\"")),
        (Some("dev"), Some("prod"), None),
        // What kubectl would take for no choice at all.
        (Some("dev"), Some(""), None),
    ] {
        kubectl.options.kubectl.context = host.map(str::to_owned);
        match (kubectl.connect_with(&[], guest).await, context) {
            (Ok(transport), Some(context)) => assert_eq!(transport.server(), context),
            (Err(error), None) => assert_eq!(error.code(), Code::Unsupported),
            (other, _) => panic!("{host:?} {guest:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn bodies_go_through_its_standard_input() {
    let kubectl = Kubectl::new("cat");
    let transport = kubectl.connect().await.expect("connect");
    let large = "x".repeat(3 << 20);
    let mut post = request(Method::Post, "/x");
    post.body = Some(large.clone().into());
    let body = send(&transport, post).await.expect("post").body;
    assert_eq!(body.whole(10 << 20).await.expect("body"), large);

    let (mut writer, reader) = body_channel();
    let pending = tokio::spawn(transport.clone().send(request(Method::Put, "/x"), Some(reader)));
    writer.write(Bytes::from_static(b"{\"a\":")).await.expect("write");
    let mut body = pending.await.expect("task").expect("it answers while it is written to").body;
    assert_eq!(body.chunk().await.expect("chunk").expect("bytes"), "{\"a\":");
    writer.write(Bytes::from_static(b"1}")).await.expect("write");
    writer.finish().expect("finish");
    assert_eq!(body.whole(100).await.expect("body"), "1}");

    // Nothing to read where there is no body: what asks for a password gets none.
    assert_eq!(get(&transport, "/x").await.expect("get"), "");

    let (writer, reader) = body_channel();
    drop(writer);
    let error =
        transport.clone().send(request(Method::Post, "/x"), Some(reader)).await.expect_err("unfinished");
    assert_eq!(error.code(), Code::Closed);
}

#[tokio::test]
async fn an_apply_is_checked_before_it_runs() {
    let kubectl = Kubectl::new("cat");
    let transport = kubectl.connect().await.expect("connect");
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}"#;
    let (mut writer, reader) = body_channel();
    let mut apply = request(Method::Patch, "/api/v1/namespaces/a/configmaps/c?fieldManager=me");
    apply.content_type = Some("application/apply-patch+yaml".into());
    let pending = tokio::spawn(transport.clone().send(apply.clone(), Some(reader)));
    writer.write(Bytes::from(body)).await.expect("write");
    writer.finish().expect("finish");
    let echo = pending.await.expect("task").expect("apply").body.whole(1000).await.expect("body");
    assert_eq!(echo, body);
    assert!(kubectl.wrote("arguments").contains("apply\n--server-side\n--filename=-\n"));

    std::fs::remove_file(kubectl.path("arguments")).expect("forget");
    // Refused before its body is waited for, and before an endless deadline is added to a time.
    for deadline in [Duration::MAX, Duration::ZERO] {
        let (_writer, reader) = body_channel();
        let endless = Request { deadline, ..apply.clone() };
        let error = transport.clone().send(endless, Some(reader)).await.expect_err("no deadline");
        assert_eq!(error.code(), Code::InvalidRequest);
    }
    apply.body = Some(body.replace("ConfigMap", "Secret").into());
    assert_eq!(send(&transport, apply).await.expect_err("another kind").code(), Code::Unsupported);
    assert!(!kubectl.path("arguments").exists());
}

#[tokio::test]
async fn what_it_complains_becomes_an_error() {
    for (complaint, code, words) in [
        ("Error from server (NotFound): pods \"x\" not found", Code::Status, "pods \"x\" not found"),
        ("error: unknown flag: --subresource", Code::Unsupported, "too old"),
        ("error: something else", Code::Unreachable, "something else"),
        ("", Code::Unreachable, "exit code 1 and without a word"),
    ] {
        let kubectl = Kubectl::new(&format!("printf '%s\\n' '{complaint}' >&2; exit 1"));
        let error = get(&kubectl.connect().await.expect("connect"), "/x").await.expect_err(complaint);
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.report().contains(words), "{error:?}");
        assert!(error.status().is_none_or(|status| status.code == 404));
    }
}

#[tokio::test]
async fn a_stream_that_dies_midway_says_why() {
    let kubectl = Kubectl::new("printf 'half'; sleep 0.1; echo 'error: connection lost' >&2; exit 1");
    let transport = kubectl.connect().await.expect("connect");
    let mut body = send(&transport, request(Method::Get, "/x?watch=true")).await.expect("begun").body;
    assert_eq!(body.chunk().await.expect("chunk").expect("bytes"), "half");
    let error = body.chunk().await.expect("chunk").expect_err("cut short");
    assert_eq!(error.code(), Code::Protocol);
    assert!(
        error.report().contains("after 4 bytes") && error.report().contains("connection lost"),
        "{error:?}"
    );
    assert!(body.chunk().await.is_none());
}

#[tokio::test]
async fn warnings_come_with_the_response() {
    let kubectl = Kubectl::new("echo 'Warning: v1 is old' >&2; echo '{}'");
    let transport = kubectl.connect().await.expect("connect");
    let response = send(&transport, request(Method::Get, "/x")).await.expect("get");
    assert_eq!((response.code, response.content_type), (200, None));
    assert_eq!(response.warnings, ["v1 is old"]);
    for (feature, there) in [
        (Feature::Accept, false),
        (Feature::ContentType, false),
        (Feature::Head, false),
        (Feature::Options, false),
        (Feature::StatusDetails, false),
        (Feature::StreamBody, true),
        (Feature::Warnings, true),
    ] {
        assert_eq!(transport.support().has(feature), there, "{feature:?}");
    }
}

#[tokio::test]
async fn it_is_killed_with_all_that_it_started() {
    let kubectl = Kubectl::new("sleep 60 & echo $! > \"$(dirname \"$0\")/pid\"; echo line; wait");
    let transport = kubectl.connect().await.expect("connect");
    let mut body = send(&transport, request(Method::Get, "/x?watch=true")).await.expect("begun").body;
    assert_eq!(body.chunk().await.expect("chunk").expect("bytes"), "line\n");
    let sleep = PathBuf::from(format!("/proc/{}", kubectl.wrote("pid").trim()));
    assert!(sleep.exists());
    drop(body);
    let until = Instant::now() + Duration::from_secs(5);
    let state = || std::fs::read_to_string(sleep.join("stat")).unwrap_or_default();
    // Gone, or dead and not yet buried by whoever adopts it.
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(Instant::now() < until, "it goes on: {}", state());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn it_has_a_deadline() {
    let kubectl = Kubectl::new("sleep 60");
    let transport = kubectl.connect().await.expect("connect");
    let mut slow = request(Method::Get, "/x");
    slow.deadline = Duration::from_millis(200);
    let started = Instant::now();
    assert_eq!(send(&transport, slow).await.expect_err("stall").code(), Code::Timeout);
    // A quiet watch is none that failed.
    let mut quiet = request(Method::Get, "/x?watch=true");
    quiet.idle_deadline = Some(Duration::from_millis(200));
    quiet.deadline = Duration::from_millis(200);
    let mut body = send(&transport, quiet).await.expect("begun").body;
    assert_eq!(body.chunk().await.expect("chunk").expect_err("silence").code(), Code::Timeout);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_watch_that_is_refused_late_is_a_typed_status_too() {
    let kubectl = Kubectl::new("sleep 0.4; echo 'Error from server (Forbidden): no' >&2; exit 1");
    let transport = kubectl.connect().await.expect("connect");
    let mut watch = request(Method::Get, "/x?watch=true");
    watch.deadline = Duration::from_millis(100);
    let mut body = send(&transport, watch).await.expect("begun, as far as anybody can tell").body;
    let error = body.chunk().await.expect("chunk").expect_err("refused");
    assert_eq!(error.status().expect("status").code, 403);
}

#[tokio::test]
async fn a_stderr_that_never_ends_is_capped_and_drained() {
    let kubectl = Kubectl::new("yes 'error: again and again' | head -c 10000000 >&2; exit 3");
    let error = get(&kubectl.connect().await.expect("connect"), "/x").await.expect_err("noise");
    assert!(error.report().len() < 10_000);
}

#[tokio::test]
async fn it_is_not_there_or_not_granted() {
    let nowhere = [("PATH", "/nowhere")];
    let choice = || Choice::KubectlRaw { context: None };
    let error = connect(&authority(&[("run", "kubectl")], &nowhere), &options(), choice())
        .await
        .expect_err("no kubectl");
    assert_eq!(error.code(), Code::NotConfigured);
    assert!(error.report().contains("PATH was searched"), "{error:?}");

    let kubectl = Kubectl::new("true");
    let path = kubectl.folder.path().to_str().expect("path").to_owned();
    for flags in [&[][..], &[("run", "helm")]] {
        let error = connect(&authority(flags, &[("PATH", &path)]), &options(), choice())
            .await
            .expect_err("not granted");
        assert_eq!(
            (error.code(), error.missing()),
            (Code::PermissionDenied, &["--allow-run=kubectl".to_owned()][..])
        );
    }
    assert!(!kubectl.path("arguments").exists());
}
