//! The main job on a machine that has nothing but a Rust toolchain.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use tidegate_cluster::{AuthKind, Cluster, Options, Tools};

use crate::build;
use crate::say::{self, Failure};

/// How many lines the demo shows before it ends by itself, if 15 seconds do not end it first.
const EVENTS: &str = "24";

/// `cargo xtask demo`: the example against the playground.
pub(crate) fn playground() -> Result<ExitCode, Failure> {
    let (programs, wasm) = built()?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    say::step("starting the playground, an in-memory Kubernetes API");
    let mut server = Command::new(programs.join("tidegate-playground"));
    server.args(["--pods-per-second=1", "--stop-with-parent", "--kubeconfig-out"]).arg(&kubeconfig);
    let server = Stopped::started(&mut server, &kubeconfig)?;
    let code = watch_pods(&programs, &wasm, &kubeconfig)?;
    drop(server);
    Ok(code)
}

/// `cargo xtask demo --real`: the same on a real control plane.
pub(crate) fn real() -> Result<ExitCode, Failure> {
    let (programs, wasm) = built()?;
    say::step("preparing etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok");
    let tools = Tools::ensure(&mut |line| eprintln!("  {line}"))?;
    say::step("starting a real control plane");
    let cluster = Cluster::start(&tools, Options::everything())?;
    let kubeconfig = cluster.kubeconfig(AuthKind::Token);
    let mut deployment = cluster.kubectl();
    deployment.args(["create", "deployment", "hello", "--image=hello", "--replicas=4"]);
    say::run(&mut deployment)?;
    watch_pods(&programs, &wasm, &kubeconfig)
}

fn built() -> Result<(std::path::PathBuf, std::path::PathBuf), Failure> {
    let programs = build::programs()?;
    let wasm = build::guests(&["--package", "watch-pods"])?;
    Ok((programs, wasm))
}

/// Runs the example with just the grants that it needs.
fn watch_pods(programs: &Path, wasm: &Path, kubeconfig: &Path) -> Result<ExitCode, Failure> {
    let server = server_of(kubeconfig)?;
    let mut tidegate = Command::new(programs.join("tidegate"));
    tidegate.arg("run").arg(format!("--kubeconfig={}", kubeconfig.display()));
    tidegate.arg(format!("--allow-read={}", kubeconfig.display())).arg(format!("--allow-net={server}"));
    // Detection would try the others first or after; the demo shows one.
    tidegate.arg("--transports=KubeConfig").arg(wasm.join("watch-pods.wasm"));
    tidegate.args(["--", "--count", EVENTS, "--seconds", "15"]);
    say::step(&say::shown(&tidegate));
    let status = say::status(&mut tidegate)?;
    Ok(u8::try_from(status.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// `host:port` of the one server in a kubeconfig that we wrote ourselves.
pub(crate) fn server_of(kubeconfig: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(kubeconfig)?;
    let server =
        text.split("https://").nth(1).and_then(|rest| rest.split(['"', '\n', '\'', '/', ',']).next());
    server
        .map(str::to_owned)
        .ok_or_else(|| Failure::usage(format!("{} names no https server", kubeconfig.display())))
}

/// A child that never outlives us.
pub(crate) struct Stopped(Child);

impl Stopped {
    /// Starts a playground that writes this kubeconfig, and waits until it has said that it listens.
    pub(crate) fn started(playground: &mut Command, kubeconfig: &Path) -> Result<Stopped, Failure> {
        Stopped(playground.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?).ready(kubeconfig)
    }

    fn ready(mut self, kubeconfig: &Path) -> Result<Stopped, Failure> {
        let Some(stdout) = self.0.stdout.take() else { return Ok(self) };
        let mut lines = BufReader::new(stdout).lines();
        while !kubeconfig.is_file() {
            match lines.next() {
                Some(line) => eprintln!("  {}", line?),
                None => return Err(Failure::usage("the playground ended before it listened".into())),
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Ok(self)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
