//! An API server that does not know how to end standard input, as those before Kubernetes 1.30: it leaves the tunnel to the kubelet.

use tidegate_cluster::{AuthKind, Behind, Cluster, Options, Tools};

use crate::{NAMESPACE, POD, ours, through};

#[test]
fn the_older_protocol_does_all_but_the_end_of_input() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).expect("the tools");
    let older = "--feature-gates=TranslateStreamCloseWebsocketRequests=false";
    let options = Options::api_only().with_kubelet().api_server_flag(older);
    let cluster = Cluster::start(&tools, options).expect("a real control plane");
    cluster.run_pod(NAMESPACE, POD, &["web"], &Behind::default()).expect("a pod that runs");
    let kubeconfig = cluster.kubeconfig(AuthKind::Token);
    let run = |arguments: &[&str], stdin: &[u8]| {
        let run = through("KubeConfig", &kubeconfig, &cluster.address().to_string());
        ours(&run.arguments(&["-n", NAMESPACE]).arguments(arguments), stdin.to_vec())
    };
    let long = "x".repeat(300_000);
    for (arguments, stdout, stderr, code) in [
        (&[POD, "--", "sh", "-c", "echo out; echo err >&2; exit 7"][..], "out\n", "err\n", 7),
        (&[POD, "--", "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x"], long.as_str(), "", 0),
        (&["--size=90x20", POD, "--", "sh", "-c", "sleep 0.5; stty size"], "20 90\r\n", "", 0),
    ] {
        let found = run(arguments, b"");
        assert_eq!(found.code, Some(code), "{arguments:?}: {}", found.text());
        assert!(found.stdout == stdout.as_bytes() && found.stderr == stderr.as_bytes(), "{}", found.text());
    }
    let found = run(&["-i", POD, "--", "cat"], b"through");
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.code == Some(1) && said.contains("cannot end standard input"), "{}", found.text());
}
