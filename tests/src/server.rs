use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tidegate_cluster::{AuthKind, Cluster, KUBERNETES_VERSION, Options, Shared, Tools};

use crate::{KubectlProxy, Playground};

/// Which API server a suite runs against. Where the two differ, the playground is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `tidegate-playground`.
    Playground,
    /// The real control plane.
    Real,
}

/// A running API server, and what each transport needs to reach it with all rights.
#[derive(Debug)]
pub struct Server {
    /// Which one it is.
    pub target: Target,
    /// `host:port`.
    pub address: String,
    /// A kubeconfig with a token and a CA.
    pub kubeconfig: PathBuf,
    /// A service account's folder, laid out as the kubelet does.
    pub service_account: PathBuf,
}

impl Server {
    /// The server of this process; started on first use.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn of(target: Target) -> &'static Server {
        static PLAYGROUND: OnceLock<(Playground, Server)> = OnceLock::new();
        static REAL: OnceLock<Server> = OnceLock::new();
        match target {
            Target::Playground => &PLAYGROUND.get_or_init(playground).1,
            Target::Real => REAL.get_or_init(real),
        }
    }

    /// The kubectl that `tests/cluster` built, pointed at this server, with a home of its own.
    ///
    /// # Panics
    /// Where it could not be built.
    #[expect(clippy::expect_used, reason = "a test without its peer fails")]
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(kubectl());
        let home = self.kubeconfig.parent().expect("a folder");
        command.env("HOME", home).env("KUBECONFIG", &self.kubeconfig).env("KUBERC", "off");
        command
    }

    /// A real `kubectl proxy` in front of this server; one for the process.
    pub fn kubectl_proxy(&self) -> &'static KubectlProxy {
        static PLAYGROUND: OnceLock<KubectlProxy> = OnceLock::new();
        static REAL: OnceLock<KubectlProxy> = OnceLock::new();
        let place = match self.target {
            Target::Playground => &PLAYGROUND,
            Target::Real => &REAL,
        };
        place.get_or_init(|| KubectlProxy::start(&self.kubectl()))
    }
}

/// The absolute path of the kubectl that `tests/cluster` built.
///
/// # Panics
/// Where it could not be built.
#[expect(clippy::expect_used, reason = "a test without its peer fails")]
pub fn kubectl() -> PathBuf {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    let tools =
        TOOLS.get_or_init(|| Tools::ensure(&mut |line| eprintln!("{line}")).expect(KUBERNETES_VERSION));
    tools.kubectl().to_path_buf()
}

fn playground() -> (Playground, Server) {
    // Nothing moves by itself, and history is soon forgotten, so that a guest sees what happens then.
    let playground = Playground::start(&["--no-demo", "--history-mib=1"]);
    let server = Server {
        target: Target::Playground,
        address: playground.address(),
        kubeconfig: playground.kubeconfig(),
        service_account: playground.service_account(),
    };
    (playground, server)
}

/// Everything, with a history that is forgotten within seconds, so that a guest sees what happens then.
fn forgetful() -> Options {
    Options::everything()
        .api_server_flag("--etcd-compaction-interval=10s")
        .api_server_flag("--feature-gates=ListFromCacheSnapshot=false")
}

#[expect(clippy::expect_used, reason = "a test without its server fails")]
fn real() -> Server {
    static CLUSTER: Shared = Shared::new(forgetful);
    let cluster: &'static Cluster = CLUSTER.get().expect("a real control plane");
    let folder = cluster.service_account_folder("default", "default").expect("a service account's folder");
    let mut bind = cluster.kubectl();
    bind.args([
        "create",
        "clusterrolebinding",
        "tests",
        "--clusterrole=cluster-admin",
        "--serviceaccount=default:default",
    ]);
    assert!(bind.status().expect("start kubectl").success(), "bind the service account");
    let service_account = folder.path().to_path_buf();
    // The folder must live as long as the process.
    std::mem::forget(folder);
    Server {
        target: Target::Real,
        address: cluster.address().to_string(),
        kubeconfig: cluster.kubeconfig(AuthKind::Token),
        service_account,
    }
}
