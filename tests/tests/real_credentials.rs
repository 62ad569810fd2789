//! Every kind of credential against a real API server, which says whom it took the guest for: certificates, service accounts whose tokens
//! end, impersonation, and plugins as programs of their own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tidegate_cluster::{Cluster, Options, Shared, TOKEN_LEEWAY, Tools};
use tidegate_tests::{REVIEW, Run, Who};

fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(Options::api_only);
    CLUSTER.get().unwrap()
}

/// A certificate that lasts as long as any test.
fn certificate(user: &str) -> (String, String) {
    cluster().client_certificate(user, "people", Duration::from_secs(3600)).unwrap()
}

#[test]
fn a_client_certificate_that_ends_and_is_replaced() {
    let place = Who::at(cluster());
    let short = cluster().client_certificate("ann", "people", Duration::from_secs(4)).unwrap();
    let [file, key] = [place.write("c.crt", &short.0), place.write("c.key", &short.1)];
    let run = place
        .run("{client-certificate: c.crt, client-key: c.key}", &[REVIEW, "@wait", REVIEW, "@wait", REVIEW]);
    let mut live = run.live_with(Stdio::piped());
    assert!(live.line_of("item 1").contains("\"username\":\"ann\""));
    live.line_of("waiting");
    std::thread::sleep(Duration::from_secs(5));

    // Replaced by half: certificate and key do not belong together, and what the guest had is refused.
    let ben = certificate("ben");
    replace(&file, &ben.0);
    live.write("\n");
    assert!(live.line_of("error").starts_with("error status 401"));
    live.line_of("waiting");
    replace(&key, &ben.1);
    live.write("\n");
    assert!(live.line_of("item 1").contains("\"username\":\"ben\""));
}

/// As a rotation does: never half a file.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn a_service_account_whose_token_ends() {
    let cluster = cluster();
    // One of the two accounts is given a new token in time, as the kubelet does.
    let mut accounts =
        ["rotated", "forgotten"].map(|name| cluster.service_account_folder("default", name).unwrap());
    let mut guests = Vec::new();
    for (account, name) in accounts.iter_mut().zip(["rotated", "forgotten"]) {
        // The server takes it for three seconds more.
        let issued = SystemTime::now() - Duration::from_secs(3600);
        let lifetime = Duration::from_secs(3603) - TOKEN_LEEWAY;
        let uid = account.uid().to_owned();
        let token = cluster.sign_service_account_token("default", name, &uid, issued, lifetime).unwrap();
        account.rotate_to(&token).unwrap();
        let run = Run::guest("ask")
            .flag("--transports=InCluster")
            .flag_path("--service-account", account.path())
            .flag_path("--allow-read", account.path())
            .flag(format!("--in-cluster-address={}", cluster.address()))
            .flag(format!("--allow-net={}", cluster.address()));
        let run = run.argument("--via").argument("in-cluster").reviews(&[REVIEW, "@wait", REVIEW]);
        let mut live = run.live_with(Stdio::piped());
        let expected = format!("\"username\":\"system:serviceaccount:default:{name}\"");
        assert!(live.line_of("item 1").contains(&expected));
        live.line_of("waiting");
        guests.push(live);
    }
    // It ends, and the server remembers for ten seconds that it was good.
    std::thread::sleep(Duration::from_secs(15));
    accounts[0].rotate().unwrap();
    guests[0].write("\n");
    assert!(guests[0].line_of("item 1").contains("default:rotated\""));
    guests[1].write("\n");
    let told = guests[1].line_of("error");
    assert!(told.starts_with("error status 401"), "{told}");
}

#[test]
fn impersonation_with_all_that_belongs_to_it() {
    let place = Who::at(cluster());
    let user = format!(
        "{{token: '{}', as: you, as-uid: '17', as-groups: [day, 'night shift'], as-user-extra: {{acme.com/project: [one, 'two, 2']}}}}",
        place.cluster.admin_token()
    );
    let outcome = place.run(&user, &[REVIEW]).run().expect_code(0);
    assert_eq!(
        outcome.reviewed(),
        [
            r#"{"username":"you","uid":"17","groups":["day","night shift","system:authenticated"],"extra":{"acme.com/project":["one","two, 2"]}}}}"#
        ],
    );
    // Whoever may not is told so, with the server's reason.
    let user = format!("{{token: '{}', as: you}}", place.cluster.nobody_token());
    let outcome = place.run(&user, &[REVIEW]).run();
    assert!(outcome.stdout.contains("cannot impersonate"), "{outcome:?}");
}

#[test]
fn a_plugin_in_shell() {
    let place = Who::at(cluster());
    place.write("secret", place.cluster.admin_token());
    let plugin = place.program(
        "plugin",
        "#!/bin/sh
cd \"${0%/*}\" || exit 1
echo run >>runs
printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"%s\",\"expirationTimestamp\":\"%s\"}}' \
 \"$(cat secret)\" \"$(date -u -d '1 hour' +%Y-%m-%dT%H:%M:%SZ)\"\n",
    );
    let user =
        "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./plugin}}";
    place
        .run(user, &[REVIEW, REVIEW, REVIEW])
        .flag_path("--allow-run", &plugin)
        .run()
        .expect_code(0)
        .expect_user("admin");
    let runs = std::fs::read_to_string(place.folder().join("runs")).unwrap();
    assert_eq!(runs, "run\n", "its token lasts an hour");
}

#[test]
fn a_plugin_in_python_that_gives_a_certificate() {
    let place = Who::at(cluster());
    let (certificate, key) = certificate("pia");
    place.write("pia.crt", &certificate);
    place.write("pia.key", &key);
    let plugin = place.program(
        "plugin.py",
        r#"#!/usr/bin/env python3
import json, os, pathlib
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
here = pathlib.Path(__file__).parent
print(json.dumps({
    "apiVersion": asked["apiVersion"],
    "kind": "ExecCredential",
    "status": {
        "clientCertificateData": (here / os.environ["CERTIFICATE"]).read_text(),
        "clientKeyData": (here / "pia.key").read_text(),
    },
}, indent=2))
"#,
    );
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin.py, env: [{name: CERTIFICATE, value: pia.crt}]}}";
    place
        .run(user, &[REVIEW, REVIEW])
        .flag_path("--allow-run", &plugin)
        .run()
        .expect_code(0)
        .expect_user("pia");
}

#[test]
fn a_plugin_in_go_that_asks_the_cluster() {
    let place = Who::at(cluster());
    let account = cluster().service_account_folder("default", "by-plugin").unwrap();
    let bootstrap = place.write("bootstrap", place.cluster.admin_token());
    let plugin = Tools::plugin(&mut |line| eprintln!("{line}")).unwrap();
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, provideClusterInfo: true, command: '{}', \
         args: ['{}', default, by-plugin, '600']}}}}",
        plugin.display(),
        bootstrap.display()
    );
    place
        .run(&user, &[REVIEW])
        .flag_path("--allow-run", &plugin)
        .run()
        .expect_code(0)
        .expect_user(&account.user());
}
