use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program;

/// A `tidegate-playground` process of the test's own, ended when this is dropped.
#[derive(Debug)]
pub struct Playground {
    child: Child,
    folder: tempfile::TempDir,
}

impl Playground {
    /// Starts one, with flags of its own.
    ///
    /// # Panics
    /// Where it ends before it listens.
    #[expect(clippy::expect_used, reason = "a test without its server fails")]
    pub fn start(flags: &[&str]) -> Playground {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program("tidegate-playground"));
        command.arg("--stop-with-parent").arg("--kubeconfig-out").arg(folder.path().join("kubeconfig"));
        command.arg("--service-account-out").arg(folder.path().join("service-account")).args(flags);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start the playground");
        let mut lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
        let kubeconfig = folder.path().join("kubeconfig");
        while !kubeconfig.is_file() {
            lines.next().expect("the playground ended before it listened").expect("its standard output");
        }
        std::thread::spawn(move || lines.for_each(drop));
        Playground { child, folder }
    }

    /// Its kubeconfig: token and CA inline.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A folder laid out like a service account's.
    pub fn service_account(&self) -> PathBuf {
        self.folder.path().join("service-account")
    }

    /// `host:port`.
    ///
    /// # Panics
    /// Where its kubeconfig names no server.
    pub fn address(&self) -> String {
        address_in(&self.kubeconfig())
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `host:port` of the first https server in a kubeconfig.
#[expect(clippy::expect_used, reason = "a test without its server fails")]
pub(crate) fn address_in(kubeconfig: &Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
    let server =
        text.split("https://").nth(1).and_then(|rest| rest.split(['"', '\'', '\n', '/', ',']).next());
    server.expect("a server in the kubeconfig").trim().to_owned()
}
