//! The server that all clients of a work talk to: tidegate's playground, with TLS and a token.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bench_scan::{Items, identity};
use serde::Deserialize;
use tempfile::TempDir;

use crate::Failure;
use crate::peers::Clients;
use crate::pin::Processors;

/// What the server holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// 100,000 pods as small as they come, some 4 KB each: to be watched, and to be got one by one.
    Small,
    /// So many pods of 6 KiB, as real ones are.
    Pods(u32),
}

impl Load {
    fn pods_and_bytes(self) -> (u32, u32) {
        match self {
            Load::Small => (100_000, 0),
            Load::Pods(pods) => (pods, 6144),
        }
    }
}

/// A running playground; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// The path of one pod.
    pub(crate) pod: String,
    pub(crate) load: Load,
}

impl Server {
    pub(crate) fn start(load: Load, clients: &Clients, processors: &Processors) -> Result<Server, Failure> {
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let (pods, bytes) = load.pods_and_bytes();
        let mut command = Command::new(&clients.playground);
        command.args([
            "--pods",
            &pods.to_string(),
            "--pod-bytes",
            &bytes.to_string(),
            "--no-demo",
            "--stop-with-parent",
        ]);
        command.arg("--kubeconfig-out").arg(&kubeconfig).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = processors.as_server(|| command.spawn())?;
        let child = child.map_err(|error| format!("start {}: {error}", clients.playground.display()))?;
        let mut server = Server { child, folder, address: String::new(), pod: String::new(), load };
        server.await_kubeconfig()?;
        server.address = Access::read(&kubeconfig)?.write(server.folder.path())?;
        server.pod = first_pod(clients, &kubeconfig)?;
        Ok(server)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn token(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// The playground writes its kubeconfig when it listens.
    fn await_kubeconfig(&mut self) -> Result<(), Failure> {
        let stdout = self.child.stdout.take().ok_or("a playground without an output")?;
        let mut lines = BufReader::new(stdout).lines();
        while !self.kubeconfig().is_file() {
            lines.next().ok_or("the playground ended before it listened")??;
        }
        thread::spawn(move || lines.for_each(drop));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part of a kubeconfig that a bare client needs.
#[derive(Deserialize)]
struct Access {
    clusters: Vec<Named>,
    users: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    cluster: Cluster,
    #[serde(default)]
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority_data: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    token: String,
}

impl Access {
    fn read(kubeconfig: &Path) -> Result<Access, Failure> {
        let text = fs::read_to_string(kubeconfig)?;
        serde_yaml::from_str(&text).map_err(|_| "the playground's kubeconfig is not understood".into())
    }

    /// Writes the files that clients without a kubeconfig read; the server's address.
    fn write(&self, folder: &Path) -> Result<String, Failure> {
        let (Some(Named { cluster, .. }), Some(Named { user, .. })) =
            (self.clusters.first(), self.users.first())
        else {
            return Err("the playground's kubeconfig names no cluster or no user".into());
        };
        fs::write(folder.join("ca.pem"), STANDARD.decode(&cluster.certificate_authority_data)?)?;
        fs::write(folder.join("token"), &user.token)?;
        let address =
            cluster.server.strip_prefix("https://").ok_or("the playground's server is not https")?;
        Ok(address.trim_end_matches('/').to_owned())
    }
}

/// The path of the first pod that the server lists.
fn first_pod(clients: &Clients, kubeconfig: &Path) -> Result<String, Failure> {
    let mut kubectl = clients.kubectl(kubeconfig);
    let answer = kubectl.args(["get", "--raw", "/api/v1/pods?limit=1"]).stderr(Stdio::inherit()).output()?;
    let mut path = None;
    Items::default().push(&answer.stdout, &mut |item| {
        path = identity(item).map(|found| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            format!("/api/v1/namespaces/{}/pods/{}", text(found.namespace), text(found.name))
        });
    })?;
    path.ok_or_else(|| "the playground has no pods".into())
}
