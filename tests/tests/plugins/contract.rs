//! What a plugin is told and may answer, in each version of its contract.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tidegate_tests::{Act, Door, Keys, Outcome, Peer, Recorder, Run};

const API: &str = "client.authentication.k8s.io";

/// Prints a credential whose token is the hexadecimal of what it was told, of its arguments and of two variables.
const TELLING: &str = r#"told=$(printf '%s|%s|%s|%s' "$KUBERNETES_EXEC_INFO" "$*" "$WHO" "$OUTSIDE" | od -An -v -tx1 | tr -d ' \n')
printf '{"apiVersion":"client.authentication.k8s.io/%s","kind":"ExecCredential","status":{"token":"%s"}}' "$VERSION" "$told""#;

struct Place {
    peer: Peer,
}

impl Place {
    fn new() -> Place {
        Place { peer: Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")])) }
    }

    fn plugin(&self) -> PathBuf {
        self.peer.folder().join("plugin")
    }

    /// A guest whose user's plugin is this script; `more` goes into its `exec`.
    fn run(&self, script: &str, more: &str) -> Run {
        let plugin = self.peer.write("plugin", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o700)).unwrap();
        let config = self.peer.kubeconfig_with(&format!("{{exec: {{command: ./plugin, {more}}}}}"));
        self.peer.write("config", &config);
        Run::ask(&self.peer).argument("/x")
    }

    fn granted(&self, script: &str, more: &str) -> Run {
        self.run(script, more).flag_path("--allow-run", &self.plugin())
    }

    /// What the plugin was told, as the server heard.
    #[track_caller]
    fn heard(&self, outcome: Outcome) -> String {
        outcome.expect_code(0);
        let asked = self.peer.seen().pop().unwrap();
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap();
        let digits = |at: usize| u8::from_str_radix(&token[at..at + 2], 16).unwrap();
        String::from_utf8((0..token.len()).step_by(2).map(digits).collect()).unwrap()
    }
}

#[test]
fn each_version_is_told_of_itself_and_of_the_cluster_where_that_is_asked_for() {
    let place = Place::new();
    for version in ["v1alpha1", "v1beta1", "v1"] {
        for cluster in [false, true] {
            let more = format!(
                "apiVersion: {API}/{version}, interactiveMode: IfAvailable, provideClusterInfo: {cluster}, \
                 args: [one, 'two words'], env: [{{name: VERSION, value: {version}}}, {{name: WHO, value: inside}}]"
            );
            let run = place.granted(TELLING, &more).variable("WHO", "outside").variable("OUTSIDE", "kept");
            let heard = place.heard(run.run());
            let parts: Vec<&str> = heard.split('|').collect();
            assert_eq!(parts[1..], ["one two words", "inside", "kept"], "{version}");
            let info: serde_json::Value = serde_json::from_str(parts[0]).unwrap();
            assert_eq!(info["kind"], "ExecCredential", "{version}");
            assert_eq!(info["apiVersion"], format!("{API}/{version}"));
            // Standard input is the guest's: a plugin that would like it does without. v1alpha1 knows neither word.
            let modern = version != "v1alpha1";
            assert_eq!(info["spec"]["interactive"].as_bool(), modern.then_some(false), "{version}: {info}");
            let server = info["spec"]["cluster"]["server"].as_str();
            let url = place.peer.url();
            assert_eq!(server, (cluster && modern).then_some(url.as_str()), "{version}: {info}");
            let ca = info["spec"]["cluster"]["certificate-authority-data"].as_str();
            assert_eq!(ca.is_some(), cluster && modern, "{version}: {info}");
        }
    }
}

#[test]
fn each_fault_has_its_own_words() {
    let place = Place::new();
    let v1 = format!("apiVersion: {API}/v1, interactiveMode: Never");
    let print = |json: &str| format!("printf '%s' '{json}'");
    let answer = |kind: &str, version: &str, status: &str| {
        print(&format!(r#"{{"kind":"{kind}","apiVersion":"{version}","status":{status}}}"#))
    };
    let good = answer("ExecCredential", &format!("{API}/v1"), r#"{"token":"t0ken"}"#);
    let rows: [(String, String, &str); 10] = [
        ("exit 7".to_owned(), v1.clone(), "failed with exit code 7"),
        (String::new(), v1.clone(), "printed nothing"),
        (print("{not: [JSON"), v1.clone(), "printed neither JSON nor YAML"),
        (
            answer("Secret", &format!("{API}/v1"), "{}"),
            v1.clone(),
            "printed another kind than ExecCredential",
        ),
        (
            answer("ExecCredential", &format!("{API}/v1beta1"), r#"{"token":"t"}"#),
            v1.clone(),
            "is configured to use API version client.authentication.k8s.io/v1, plugin returned version client.authentication.k8s.io/v1beta1",
        ),
        (
            answer("ExecCredential", &format!("{API}/v1"), "{}"),
            v1.clone(),
            "didn't return a token or cert/key pair",
        ),
        (
            answer("ExecCredential", &format!("{API}/v1"), r#"{"clientKeyData":"k"}"#),
            v1.clone(),
            "returned only certificate or key, not both",
        ),
        (good.clone(), v1.replace("Never", "Always"), "cannot support interactive mode"),
        (good.clone(), format!("apiVersion: {API}/v1"), "interactiveMode must be specified"),
        (good, v1.replace("Never", "Sometimes"), "invalid interactiveMode"),
    ];
    for (script, more, words) in &rows {
        let outcome = place.granted(script, more).run().expect_code(3);
        let said = outcome.stdout.lines().last().unwrap_or_default();
        assert!(said.contains(words), "{words}: {outcome:?}");
        let others = rows.iter().filter(|(.., other)| other != words && said.contains(other));
        assert_eq!(others.count(), 0, "{words}: {said}");
    }
    assert_eq!(place.peer.connections(), 0);
}

#[test]
fn one_that_is_not_installed_is_told_with_its_hint() {
    let place = Place::new();
    let more = format!("apiVersion: {API}/v1, interactiveMode: Never, installHint: Get it at the shop.");
    let run = place.granted("exit 0", &more);
    std::fs::remove_file(place.plugin()).unwrap();
    let outcome = run.run().expect_code(3);
    for words in ["not found", "Get it at the shop."] {
        assert!(outcome.stdout.contains(words), "{outcome:?}");
    }
}

/// Nor does a grant for a program of the same name elsewhere do, or for its folder's others.
#[test]
fn it_runs_with_a_grant_for_exactly_it() {
    let place = Place::new();
    let more = format!("apiVersion: {API}/v1, interactiveMode: Never");
    let script = "echo run >>\"${0%/*}/runs\"; exit 1";
    let own = format!("--allow-run={}", place.plugin().display());
    for other in ["", "--allow-run=plugin", "--allow-run=/bin/sh", "--allow-run=/usr/bin/plugin"] {
        let outcome = place.run(script, &more).flags(other).run().expect_code(3);
        assert!(outcome.stdout.contains(&format!("missing {own}")), "{other}: {outcome:?}");
    }
    assert!(!place.peer.folder().join("runs").exists());
    assert_eq!(place.peer.connections(), 0);
    let heard = place
        .heard(place.run(TELLING, &format!("{more}, env: [{{name: VERSION, value: v1}}]")).flag(&own).run());
    assert!(heard.starts_with('{'), "{heard}");
}

#[test]
fn it_may_give_a_certificate_or_both() {
    let (recorder, folder) = (Recorder::start(), tempfile::tempdir().unwrap());
    Keys::shared().write(folder.path());
    let server = recorder.address(Door::Tls).to_string();
    let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().replace('\n', "\\n");
    for (certificate, token) in [("alice", None), ("bob", Some("both"))] {
        let more = token.map_or(String::new(), |token| format!(r#","token":"{token}""#));
        let answer = format!(
            r#"{{"kind":"ExecCredential","apiVersion":"{API}/v1","status":{{"clientCertificateData":"{}","clientKeyData":"{}"{more}}}}}"#,
            lines(&format!("{certificate}.crt")),
            lines(&format!("{certificate}.key")),
        );
        std::fs::write(folder.path().join("answer"), answer).unwrap();
        let config = folder.path().join("config");
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'https://{server}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {{exec: {{apiVersion: {API}/v1, interactiveMode: Never, command: /bin/cat, args: ['{}']}}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
            folder.path().join("answer").display()
        );
        std::fs::write(&config, text).unwrap();
        let run = Run::guest("ask").flag("--transports=KubeConfig").flag_path("--kubeconfig", &config);
        let run = run.flag_path("--allow-read", folder.path()).flag("--allow-run=/bin/cat");
        let run = run.flag(format!("--allow-net={server}"));
        run.arguments(&["--via", "kube-config", "/api/v1/pods"]).run().expect_code(0);
        let told = recorder.records().pop().unwrap();
        assert_eq!(told.certificate.as_deref(), Some(certificate));
        let expected = token.map(|token| format!("Bearer {token}"));
        assert_eq!(told.asked.header("authorization"), expected.as_deref());
    }
}
