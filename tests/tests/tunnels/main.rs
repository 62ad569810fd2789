//! Processes in pods, exec and attach, through the real API server to real processes: compared with what the real kubectl does with the same
//! pod, in bytes, order, exit codes, sizes and ends; cut at any byte, and stalled; and of servers that say what they should not.
//! And ports of pods, in the same way.
//!
//! Covers: T11

mod cut;
mod ends;
mod forward;
mod handles;
#[path = "../common/harmed.rs"]
mod harmed;
mod hostile;
mod kubectl;
mod older;
mod stalled;
mod volume;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tidegate_cluster::{AuthKind, Behind, Cluster, Options, Shared};
use tidegate_tests::Run;

/// The namespace and the pod of all tests here.
const NAMESPACE: &str = "shop";
const POD: &str = "web";

/// The cluster of this process, with a pod in which programs run.
fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(|| Options::api_only().with_kubelet());
    static POD_RUNS: OnceLock<()> = OnceLock::new();
    let cluster = CLUSTER.get().expect("a real control plane");
    POD_RUNS.get_or_init(|| {
        let program = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
        let behind = Behind {
            attach: vec![
                (
                    "web".into(),
                    program("while read line; do echo \"heard $line\"; echo \"$line\" >&2; done; exit 3"),
                ),
                ("side".into(), program("sleep 0.3; seq 1 1000")),
            ],
            ..Behind::default()
        };
        cluster.run_pod(NAMESPACE, POD, &["web", "side"], &behind).expect("a pod that runs");
    });
    cluster
}

fn kubeconfig() -> PathBuf {
    cluster().kubeconfig(AuthKind::Token)
}

/// The example `exec` through one of the two transports, with just the grants for it.
fn exec(via: &str) -> Run {
    script("exec", via)
}

fn script(name: &str, via: &str) -> Run {
    granted(Run::guest(name), via, &kubeconfig(), &cluster().address().to_string())
}

fn through(via: &str, kubeconfig: &Path, server: &str) -> Run {
    granted(Run::guest("exec"), via, kubeconfig, server)
}

fn granted(run: Run, via: &str, kubeconfig: &Path, server: &str) -> Run {
    let run = run.flag(format!("--transports={via}"));
    match via {
        "KubeConfig" => run
            .flag_path("--kubeconfig", kubeconfig)
            .flag_path("--allow-read", kubeconfig)
            .flag(format!("--allow-net={server}")),
        _ => run
            .flag_path("--kubectl", &tidegate_tests::kubectl())
            .flag_path("--allow-run", &tidegate_tests::kubectl())
            .variable("KUBECONFIG", kubeconfig),
    }
}

/// What came of a program.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    code: Option<i32>,
}

impl Ended {
    fn text(&self) -> String {
        format!(
            "{:?}\nstdout: {}\nstderr: {}",
            self.code,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        )
    }
}

/// Runs a program to its end with this on its standard input, or ends it after a minute.
fn ended(mut command: Command, stdin: Vec<u8>) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start it");
    let mut input = child.stdin.take().expect("standard input");
    let writer = std::thread::spawn(move || {
        // It may end without reading.
        let _ = input.write_all(&stdin);
    });
    let id = child.id();
    let (done, watch) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(100)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    let begun = Instant::now();
    let output = child.wait_with_output().expect("its output");
    assert!(begun.elapsed() < Duration::from_secs(100), "{command:?} did not end");
    drop(done);
    watchdog.join().expect("the watchdog");
    writer.join().expect("the writer");
    Ended { stdout: output.stdout, stderr: output.stderr, code: output.status.code() }
}

/// What ours wrote, less the compiler's progress.
fn ours(run: &Run, stdin: Vec<u8>) -> Ended {
    let mut ended = ended(run.to_command(), stdin);
    let is_progress = |line: &&[u8]| line.starts_with(b"Compiling ") || line.starts_with(b"Compiled ");
    ended.stderr = ended
        .stderr
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !is_progress(line))
        .flatten()
        .copied()
        .collect();
    ended
}

/// The real kubectl's `exec` or `attach`, with these arguments.
fn kubectls(verb: &str, arguments: &[&str], stdin: Vec<u8>) -> Ended {
    let mut command = cluster().kubectl();
    command.args(["-n", NAMESPACE, verb]).args(arguments);
    ended(command, stdin)
}
