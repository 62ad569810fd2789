//! What goes both ways is counted too: processes in pods of the real cluster, and connections that a guest accepts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use tidegate_cluster::{AuthKind, Behind, Options, Shared};
use tidegate_tests::{Outcome, Run, kubectl};

const NAMESPACE: &str = "shop";
const POD: &str = "web";

#[test]
fn processes_in_pods() {
    static CLUSTER: Shared = Shared::new(|| Options::api_only().with_kubelet());
    let cluster = CLUSTER.get().expect("a real control plane");
    cluster.run_pod(NAMESPACE, POD, &["web"], &Behind::default()).expect("a pod that runs");
    let (kubeconfig, server) = (cluster.kubeconfig(AuthKind::Token), cluster.address());
    let exec = |via: &str, flags: &str, script: &str| -> Outcome {
        let run = Run::guest("exec").flags(flags).flag(format!("--transports={via}"));
        let run = match via {
            "KubeConfig" => run
                .flag_path("--kubeconfig", &kubeconfig)
                .flag_path("--allow-read", &kubeconfig)
                .flag(format!("--allow-net={server}")),
            _ => run
                .flag_path("--kubectl", &kubectl())
                .flag_path("--allow-run", &kubectl())
                .variable("KUBECONFIG", &kubeconfig),
        };
        run.arguments(&["-n", NAMESPACE, POD, "--", "sh", "-c", script]).run()
    };
    for via in ["KubeConfig", "KubectlRaw"] {
        let outcome = exec(via, "--limit-bytes=256KiB", "yes").expect_code(124);
        assert!(outcome.stderr.contains("its limit of 256KiB (--limit-bytes)"), "{via}: {outcome:?}");
        assert!(outcome.stdout.len() <= 256 << 10, "{via}: {}", outcome.stdout.len());
        let outcome = exec(via, "--limit-bytes=256KiB --limit-streams=1", "echo x; exit 7").expect_code(7);
        assert_eq!(outcome.stdout, "x\n", "{via}");
        let outcome = exec(via, "--limit-wall=3s", "sleep 1000").expect_code(124);
        assert!(outcome.stderr.contains("has run for 3s"), "{via}: {outcome:?}");
    }
}

/// The guest serves three connections, one after another.
#[test]
fn accepted_connections() {
    let listening = |flags: &str| {
        let run = Run::guest("sockets").flag("--allow-listen=localhost").flags(flags).argument("localhost");
        let mut live = run.live_with(Stdio::null());
        let address = live.line().strip_prefix("listens ").expect("an address").to_owned();
        (live, TcpStream::connect(address).unwrap())
    };
    // What it echoes counts in both directions; at the limit it panics.
    let (live, mut echo) = listening("--limit-bytes=64KiB");
    let mut writer = echo.try_clone().unwrap();
    // It ends in the midst of this.
    let flood = std::thread::spawn(move || while writer.write_all(&[b'x'; 1024]).is_ok() {});
    let mut back = Vec::new();
    _ = echo.read_to_end(&mut back);
    assert!(back.len() <= 32 << 10, "{}", back.len());
    let (status, _, stderr) = live.ended_within(Duration::from_secs(20));
    assert_eq!(status.code(), Some(124), "{stderr}");
    assert!(stderr.contains("its limit of 64KiB (--limit-bytes)"), "{stderr}");
    flood.join().unwrap();
    // A listener is one, and what it accepts is the second.
    let (live, mut refused) = listening("--limit-streams=1");
    assert_eq!(refused.read(&mut [0]).unwrap_or(0), 0);
    let (status, _, stderr) = live.ended_within(Duration::from_secs(20));
    assert_eq!(status.code(), Some(124), "{stderr}");
    assert!(stderr.contains("its limit of 1 streams (--limit-streams)"), "{stderr}");
}
