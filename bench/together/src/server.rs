//! The server: tidegate's playground, with TLS and a token.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;
use tidegate::grants::{Grants, Kind};
use tidegate::kube::request::{Method, Request};
use tidegate::reach;
use tidegate::transport::{Choice, Options};

use crate::{Failure, program};

/// A running playground; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
}

impl Server {
    /// With so many pods of 6 KiB.
    pub(crate) fn start(pods: u64) -> Result<Server, Failure> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program("tidegate-playground")?);
        command.args(["--pods", &pods.to_string(), "--pod-bytes", "6144", "--no-demo", "--stop-with-parent"]);
        command.arg("--kubeconfig-out").arg(folder.path().join("kubeconfig"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut server = Server { child, folder };
        let stdout = server.child.stdout.take().ok_or("a playground without an output")?;
        let mut lines = BufReader::new(stdout).lines();
        while !server.kubeconfig().is_file() {
            lines.next().ok_or("the playground ended before it listened")??;
        }
        thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Changes pods, so often.
    pub(crate) async fn change(&self, changes: u64) -> Result<(), Failure> {
        let mut options = Options::new("bench-together/0.1");
        options.kubeconfig.path = Some(self.kubeconfig());
        let grants = Grants::builder().allow(Kind::Read, None)?.allow(Kind::Net, None)?.build();
        let choice = Choice::ReadKubeConfig { path: None, context: None };
        let transport = reach(grants, &options, Some(choice)).await?;
        let request = Request::new(Method::Post, format!("/playground/events?count={changes}"));
        transport.send(request, None).await?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
