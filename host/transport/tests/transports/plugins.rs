//! Exec plugins, as programs of their own, good and bad.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_authority::Authority;
use tidegate_transport::{Choice, Code, CredentialKind, Error, Kind, Options, Transport, connect, diagnose};

use crate::peer::{Act, Peer, Seen, json, kubernetes, reply};
use crate::pki;
use crate::setup::{Heard, authority, get, options, write};

const V1: &str = "client.authentication.k8s.io/v1";

/// A folder with a plugin, a kubeconfig that names it, and a server.
struct Stage {
    folder: tempfile::TempDir,
    ca: pki::Authority,
    peer: Peer,
    options: Options,
    heard: Arc<Heard>,
}

impl Stage {
    async fn new(answer: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) -> Stage {
        let ca = pki::Authority::new("server");
        let config = ca.issue(&["127.0.0.1"]).server_for_any();
        let peer = Peer::tls(config, answer).await;
        let (heard, mut options) = (Arc::new(Heard::default()), options());
        options.observer = heard.clone();
        options.plugins.deadline = Duration::from_secs(20);
        Stage { folder: tempfile::tempdir().expect("folder"), ca, peer, options, heard }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The plugin's text; `$T` is the folder.
    fn plugin(&self, text: &str) {
        let path = self.path("plugin");
        write(&path, &text.replace("$T", self.folder.path().to_str().expect("path")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("mode");
    }

    /// `exec` is the entry's further fields.
    fn kubeconfig(&self, exec: &str) {
        let pem = self.path("ca.crt");
        write(&pem, &self.ca.pem);
        let version = if exec.contains("apiVersion") { String::new() } else { format!("apiVersion: {V1}, ") };
        let command = if exec.contains("command") { "" } else { "command: ./plugin, " };
        write(
            &self.path("config"),
            &crate::setup::kubeconfig(
                &format!("server: 'https://{}', certificate-authority: ca.crt", self.peer.address),
                &format!("exec: {{{version}{command}interactiveMode: IfAvailable, {exec}}}"),
            ),
        );
    }

    fn granted(&self) -> Authority {
        let path = std::env::var("PATH").expect("PATH");
        let plugin = self.path("plugin");
        authority(
            &[("run", plugin.to_str().expect("path")), ("read", ""), ("net", "")],
            &[("PATH", &path), ("HOME", "/home/me"), ("LD_PRELOAD", "/evil.so")],
        )
    }

    async fn connect(&self) -> Result<Arc<dyn Transport>, Error> {
        self.connect_with(&self.granted()).await
    }

    async fn connect_with(&self, authority: &Authority) -> Result<Arc<dyn Transport>, Error> {
        let choice = Choice::ReadKubeConfig { path: Some(self.path("config")), context: None };
        connect(authority, &self.options, choice).await
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How often the plugin ran, where it counts.
    fn runs(&self) -> usize {
        self.read("runs").len()
    }
}

/// Believes this token alone.
fn believes(token: &'static str) -> impl Fn(&Seen) -> Vec<Act> {
    move |seen| match seen.header("authorization") {
        Some(header) if header == format!("Bearer {token}") => kubernetes(|_| json("{}"))(seen),
        _ => reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#),
    }
}

fn answer(status: &str) -> String {
    format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{status}}}"#)
}

#[tokio::test]
async fn a_plugin_is_told_what_client_go_tells_it_and_asked_once() {
    let stage = Stage::new(believes("hunter2")).await;
    stage.plugin(&format!(
        "#!/bin/sh\nprintf x >>$T/runs\nprintf %s \"$KUBERNETES_EXEC_INFO\" >$T/info\nenv >$T/env\n\
         printf '%s\\n' \"$@\" >$T/args\necho 'logging in' >&2\necho '{}'\n",
        answer(r#"{"token":"hunter2"}"#)
    ));
    stage.kubeconfig(
        "provideClusterInfo: true, args: [get-token, 'a b'], env: [{name: REGION, value: 'eu 1'}, {name: HOME, value: /else}]",
    );
    let transport = stage.connect().await.expect("connect");
    for _ in 0..3 {
        get(&transport, "/x").await.expect("get");
    }
    assert_eq!(stage.runs(), 1);
    assert_eq!(stage.read("args"), "get-token\na b\n");
    let environment = stage.read("env");
    for (line, there) in [("REGION=eu 1", true), ("HOME=/else", true), ("LD_PRELOAD=/evil.so", false)] {
        assert_eq!(environment.lines().any(|given| given == line), there, "{line}");
    }
    // A shell drops the last line break of a variable that it prints, and nothing else.
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD.encode(&stage.ca.pem);
    assert_eq!(
        stage.read("info").trim_end(),
        format!(
            r#"{{"kind":"ExecCredential","apiVersion":"{V1}","spec":{{"cluster":{{"server":"https://{}","certificate-authority-data":"{ca}","config":null}},"interactive":false}}}}"#,
            stage.peer.address
        )
    );
    let heard = stage.heard.lines();
    assert!(heard.contains(&"plugin: logging in".to_owned()), "{heard:?}");
    assert!(!heard.iter().any(|line| line.contains("hunter2")), "{heard:?}");

    let reports = transport.credentials();
    assert_eq!(reports[0].kind, CredentialKind::ExecPlugin);
    assert!(reports[0].refreshed.is_some() && reports[0].expires.is_none(), "{reports:?}");
}

#[tokio::test]
async fn everything_that_a_plugin_needs_is_named_at_once_and_nothing_is_run() {
    let stage = Stage::new(believes("hunter2")).await;
    stage.plugin("#!/bin/sh\nprintf x >>$T/runs\n");
    stage.kubeconfig("args: [x]");
    let config = stage.path("config");
    let error = stage.connect_with(&authority(&[("read", config.to_str().expect("path"))], &[])).await;
    let folder = stage.folder.path().display();
    assert_eq!(
        error.expect_err("denied").missing(),
        [
            format!("--allow-read={folder}/ca.crt"),
            format!("--allow-net={}", stage.peer.address),
            format!("--allow-run={folder}/plugin")
        ]
    );
    // Another program's grant is not this one's.
    let error = stage.connect_with(&authority(&[("read", ""), ("net", ""), ("run", "/bin/sh")], &[])).await;
    assert_eq!(error.expect_err("denied").missing(), [format!("--allow-run={folder}/plugin")]);
    assert_eq!((stage.runs(), stage.peer.connections()), (0, 0));
}

#[tokio::test]
async fn the_older_versions_are_spoken_too() {
    for version in ["v1beta1", "v1alpha1"] {
        let stage = Stage::new(believes("hunter2")).await;
        stage.plugin(&format!(
            "#!/bin/sh\nprintf %s \"$KUBERNETES_EXEC_INFO\" >$T/info\ncat <<END\napiVersion: client.authentication.k8s.io/{version}\n\
             kind: ExecCredential\nstatus: {{token: hunter2}}\nEND\n"
        ));
        stage.kubeconfig(&format!("apiVersion: client.authentication.k8s.io/{version}"));
        stage.connect().await.expect(version);
        assert!(stage.read("info").contains(&format!("client.authentication.k8s.io/{version}\"")));
    }
}

#[tokio::test]
async fn a_thousand_refused_at_once_ask_once() {
    let stage = Stage::new(believes("token-2")).await;
    stage.plugin(&format!(
        "#!/bin/sh\nprintf x >>$T/runs\nn=$(wc -c <$T/runs)\n[ $n = 1 ] || sleep 0.5\necho '{}' | sed s/N/$n/\n",
        answer(r#"{"token":"token-N"}"#)
    ));
    stage.kubeconfig("args: []");
    // The probe is answered with 401 and asks once more: so the storm begins with a token that was good.
    let transport = stage.connect().await.expect("connect");
    assert_eq!(stage.runs(), 2);

    let stage = Stage::new(|seen: &Seen| match seen.header("authorization") {
        Some("Bearer token-1") if seen.line().contains("/storm") => {
            reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#)
        }
        _ => kubernetes(|_| json("{}"))(seen),
    })
    .await;
    drop(transport);
    stage.plugin(&format!(
        "#!/bin/sh\nprintf x >>$T/runs\nn=$(wc -c <$T/runs)\n[ $n = 1 ] || sleep 0.5\necho '{}' | sed s/N/$n/\n",
        answer(r#"{"token":"token-N"}"#)
    ));
    stage.kubeconfig("args: []");
    let transport = stage.connect().await.expect("connect");
    let storm = (0..1000).map(|_| {
        let transport = transport.clone();
        tokio::spawn(async move { get(&transport, "/storm").await.map(drop) })
    });
    for request in storm.collect::<Vec<_>>() {
        request.await.expect("task").expect("the second try");
    }
    assert_eq!(stage.runs(), 2);
}

#[tokio::test]
async fn a_server_that_goes_on_refusing_is_told_so() {
    let stage = Stage::new(believes("never")).await;
    stage.plugin(&format!("#!/bin/sh\nprintf x >>$T/runs\necho '{}'\n", answer(r#"{"token":"hunter2"}"#)));
    stage.kubeconfig("args: []");
    let error = stage.connect().await.expect_err("refused");
    assert_eq!((error.code(), stage.runs()), (Code::Unauthorized, 2), "{error:?}");
    // The same token again is no reason to send the request again.
    assert_eq!(stage.peer.seen().len(), 1);
}

#[tokio::test]
async fn a_credential_that_ends_is_replaced_before_the_next_request() {
    let stage = Stage::new(kubernetes(|_| json("{}"))).await;
    stage.plugin(
        "#!/usr/bin/env python3\nimport json, datetime\nopen('$T/runs', 'a').write('x')\n\
         n = len(open('$T/runs').read())\n\
         end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)\n\
         print(json.dumps({'kind': 'ExecCredential', 'apiVersion': 'client.authentication.k8s.io/v1',\n\
         \x20 'status': {'token': f'token-{n}', 'expirationTimestamp': end.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}}, indent=2))\n",
    );
    stage.kubeconfig("args: []");
    let transport = stage.connect().await.expect("connect");
    get(&transport, "/x").await.expect("get");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    get(&transport, "/x").await.expect("get");
    let last = |seen: &Seen| seen.header("authorization").map(str::to_owned);
    let tokens: Vec<_> = stage.peer.seen().iter().filter_map(last).collect();
    assert_eq!(tokens.first().map(String::as_str), Some("Bearer token-1"));
    assert_eq!(tokens.last().map(String::as_str), Some("Bearer token-2"), "{tokens:?}");
    assert!(transport.credentials()[0].expires.is_some());
}

#[tokio::test]
async fn a_client_certificate_of_a_plugin_is_swapped_with_its_connections() {
    let stage = Stage::new(kubernetes(|_| json("{}"))).await;
    let clients = pki::Authority::new("clients");
    let pairs = [clients.issue(&["one"]), clients.issue(&["two"])];
    for (number, pair) in (1..).zip(&pairs) {
        let status = format!(
            "{{\"clientCertificateData\":{:?},\"clientKeyData\":{:?}}}",
            pair.certificate.pem(),
            pair.key.serialize_pem()
        );
        write(&stage.path(&format!("answer-{number}")), &answer(&status));
    }
    let mismatched = format!(
        "{{\"clientCertificateData\":{:?},\"clientKeyData\":{:?}}}",
        pairs[0].certificate.pem(),
        pairs[1].key.serialize_pem()
    );
    write(&stage.path("answer-9"), &answer(&mismatched));
    stage.plugin("#!/bin/sh\nn=$(cat $T/which)\ncat $T/answer-$n\ncat $T/answer-$n >&2\n");
    write(&stage.path("which"), "1");
    stage.kubeconfig("args: []");
    let transport = stage.connect().await.expect("connect");
    get(&transport, "/x").await.expect("get");
    assert_eq!(stage.peer.connections(), 1);
    let shown = stage.peer.seen().last().and_then(|seen| seen.client.clone());
    assert_eq!(shown.as_deref(), Some(pairs[0].certificate.der().as_ref()));
    let key = pairs[0].key.serialize_pem();
    let secret = key.lines().nth(1).expect("line");
    assert!(!stage.heard.lines().iter().any(|line| line.contains(secret)), "{:?}", stage.heard.lines());

    write(&stage.path("which"), "9");
    let error = stage.connect().await.expect_err("mismatch");
    assert_eq!(error.code(), Code::Tls);
    assert!(error.report().contains("does not belong to the certificate"), "{error:?}");
}

#[tokio::test]
async fn what_a_broken_plugin_does_is_named() {
    for (plugin, exec, code, words) in [
        ("#!/bin/sh\n", "", Code::NotConfigured, "exec plugin printed nothing"),
        ("#!/bin/sh\necho hunter2 {\n", "", Code::NotConfigured, "the exec plugin's answer cannot be used"),
        ("#!/bin/sh\necho '{}'\n", "", Code::NotConfigured, "plugin returned version (none)"),
        (
            "#!/bin/sh\nexit 3\n",
            "",
            Code::NotConfigured,
            "plugin failed with exit code 3 (exec plugin of user \"u\")",
        ),
        ("#!/bin/sh\nkill -9 $$\n", "", Code::NotConfigured, "plugin was ended by signal 9"),
        ("#!/no/such/shell\n", "", Code::NotConfigured, "cannot be started"),
        ("#!/bin/sh\nyes hunter2\n", "", Code::TooLarge, "printed more than 1048576 bytes, the cap"),
        ("#!/bin/sh\nsleep 1000\n", "", Code::Timeout, "did not end within 1 s, the deadline for plugins"),
        ("#!/bin/sh\nexec >&-\nsleep 1000\n", "", Code::Timeout, "did not end within 1 s"),
        ("#!/bin/sh\nyes hunter2 >&2\n", "", Code::Timeout, "did not end within 1 s"),
        (
            "#!/bin/sh\n",
            "command: ./gone, installHint: \"see https://corp/\\e[1mhint\"",
            Code::PermissionDenied,
            "run again with --allow-run=",
        ),
        (
            "#!/bin/sh\n",
            "apiVersion: client.authentication.k8s.io/v2",
            Code::NotConfigured,
            "exec plugin: invalid apiVersion",
        ),
    ] {
        let mut stage = Stage::new(believes("never")).await;
        stage.options.plugins.deadline = Duration::from_secs(1);
        stage.plugin(plugin);
        stage.kubeconfig(exec);
        let begin = Instant::now();
        let error = stage.connect().await.expect_err(plugin);
        assert!(begin.elapsed() < Duration::from_secs(10), "{plugin} took {:?}", begin.elapsed());
        assert_eq!(error.code(), code, "{plugin}: {error:?}");
        assert!(error.report().contains(words), "{plugin}: {error:?}");
        assert!(!error.report().contains("hunter2"), "{plugin}: {error:?}");
        assert_eq!(stage.peer.connections(), 0, "{plugin}");
    }
}

#[tokio::test]
async fn a_plugin_that_is_not_installed_says_how_to_install_it() {
    let stage = Stage::new(believes("never")).await;
    stage.kubeconfig("command: corp-login, installHint: \"run\\n\\e[1mapt install corp-login\"");
    let granted = authority(&[("run", "corp-login"), ("read", ""), ("net", "")], &[("PATH", "/usr/bin")]);
    let error = stage.connect_with(&granted).await.expect_err("missing").report();
    assert!(error.starts_with("getting credentials: exec: executable corp-login not found; "), "{error}");
    assert!(error.contains("apt install corp-login") && !error.contains('\u{1b}'), "{error}");
}

#[tokio::test]
async fn a_plugin_that_must_have_a_terminal_is_not_run() {
    let stage = Stage::new(believes("never")).await;
    stage.plugin("#!/bin/sh\nprintf x >>$T/runs\n");
    stage.kubeconfig("interactiveMode: Always");
    let error = stage.connect().await.expect_err("no terminal").report();
    assert!(
        error.contains("exec plugin cannot support interactive mode: standard input is unavailable"),
        "{error}"
    );
    assert_eq!(stage.runs(), 0);
}

#[tokio::test]
async fn what_a_plugin_leaves_behind_keeps_nobody_waiting() {
    for (leaves, kept) in [("sleep 600 &", "both outputs"), ("setsid sleep 600 >/dev/null &", "one of them")]
    {
        let stage = Stage::new(believes("hunter2")).await;
        stage.plugin(&format!(
            "#!/bin/sh\n{leaves}\necho $! >$T/pid\necho '{}'\n",
            answer(r#"{"token":"hunter2"}"#)
        ));
        stage.kubeconfig("args: []");
        let begin = Instant::now();
        stage.connect().await.expect(kept);
        assert!(begin.elapsed() < Duration::from_secs(5), "{kept}: {:?}", begin.elapsed());
        end(&stage.path("pid"));
    }
}

#[tokio::test]
async fn a_plugin_that_is_too_slow_is_ended_with_its_children() {
    let mut stage = Stage::new(believes("never")).await;
    stage.options.plugins.deadline = Duration::from_millis(500);
    stage.plugin("#!/bin/sh\nsleep 600 &\necho $! >$T/pid\nwait\n");
    stage.kubeconfig("args: []");
    assert_eq!(stage.connect().await.expect_err("slow").code(), Code::Timeout);
    let pid = stage.read("pid").trim().to_owned();
    let begin = Instant::now();
    // A zombie has no command line.
    while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(begin.elapsed() < Duration::from_secs(5), "{pid} lives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_plugin_says_holds_nothing_that_it_gave() {
    let stage = Stage::new(believes("hunter2")).await;
    stage.plugin(&format!(
        "#!/bin/sh\nprintf 'debug: got hunter2\\n\\033[2Jcleared\\n' >&2\necho '{}'\nprintf 'once more: \"hunter2\"' >&2\n",
        answer(r#"{"token":"hunter2"}"#)
    ));
    stage.kubeconfig("args: []");
    stage.connect().await.expect("connect");
    let heard = stage.heard.lines();
    let said: Vec<&str> = heard.iter().filter_map(|line| line.strip_prefix("plugin: ")).collect();
    assert_eq!(said, ["debug: got <redacted>", "\u{fffd}[2Jcleared", "once more: \"<redacted>\""]);
    assert!(!heard.iter().any(|line| line.contains("hunter2")), "{heard:?}");
}

#[tokio::test]
async fn a_diagnosis_explains_the_credential_whatever_came_of_it() {
    let mut stage = Stage::new(believes("hunter2")).await;
    stage.options.transports = vec![Kind::KubeConfig];
    stage.options.kubeconfig.path = Some(stage.path("config"));
    let end = "2999-01-01T00:00:00Z";
    let status = format!(r#"{{"token":"hunter2","expirationTimestamp":"{end}"}}"#);
    stage.plugin(&format!("#!/bin/sh\n[ -e $T/broken ] && exit 3\necho '{}'\n", answer(&status)));
    stage.kubeconfig("args: [hunter2]");
    let source = format!("{}, user \"u\"", stage.path("plugin").display());
    for (broken, granted, works, had) in [
        (false, stage.granted(), true, true),
        (true, stage.granted(), false, false),
        (false, authority(&[("read", "")], &[]), false, false),
    ] {
        match broken {
            true => write(&stage.path("broken"), ""),
            false => drop(std::fs::remove_file(stage.path("broken"))),
        }
        let found = diagnose(&granted, &stage.options).await;
        assert_eq!(found[0].verdict.is_ok(), works, "{found:?}");
        let [report] = found[0].credentials.as_slice() else { panic!("{found:?}") };
        assert_eq!((report.kind, &report.source), (CredentialKind::ExecPlugin, &source));
        assert_eq!(report.expires, tidegate_kube::date::parse(end).filter(|_| had));
        assert_eq!(report.refreshed.is_some(), had);
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
}

/// Ends the process whose id this file holds.
fn end(pid: &Path) {
    let pid = std::fs::read_to_string(pid).expect("pid");
    let status = std::process::Command::new("kill").arg(pid.trim()).status().expect("kill");
    assert!(status.success());
}
