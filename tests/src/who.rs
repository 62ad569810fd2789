use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidegate_cluster::Cluster;

use crate::{Live, Outcome, Run};

/// The path that says who asks, for [`Who`]'s runs.
pub const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// A folder with a kubeconfig for a real cluster, and guests that ask it who they are.
#[derive(Debug)]
pub struct Who {
    /// The cluster.
    pub cluster: &'static Cluster,
    folder: TempDir,
}

impl Who {
    /// # Panics
    /// Where there can be no folder.
    #[expect(clippy::expect_used, reason = "a test without its folder fails")]
    pub fn at(cluster: &'static Cluster) -> Who {
        let who = Who { cluster, folder: tempfile::tempdir().expect("a folder") };
        who.write("ca.crt", cluster.ca_pem());
        who
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder; its path.
    ///
    /// # Panics
    /// Where it cannot.
    #[expect(clippy::expect_used, reason = "a test without its file fails")]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("write a file");
        path
    }

    /// Writes a file that can be run.
    ///
    /// # Panics
    /// Where it cannot.
    #[expect(clippy::expect_used, reason = "a test without its program fails")]
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("make it a program");
        path
    }

    /// The guest `ask` with this user, granted the folder and the server; `paths` are [`REVIEW`] and `@wait`.
    pub fn run(&self, user: &str, paths: &[&str]) -> Run {
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {user}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
            self.cluster.server_url()
        );
        let run = Run::guest("ask")
            .flag("--transports=KubeConfig")
            .flag_path("--kubeconfig", &self.write("config", &text))
            .flag_path("--allow-read", self.folder.path())
            .flag(format!("--allow-net={}", self.cluster.address()));
        run.argument("--via").argument("kube-config").reviews(paths)
    }
}

impl Run {
    /// Lets the guest `ask` create reviews at these paths.
    #[must_use]
    pub fn reviews(self, paths: &[&str]) -> Run {
        let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
        let run = self.arguments(&["--method", "POST", "--content-type", "application/json", "--body", body]);
        run.arguments(&["--show", "4096"]).arguments(paths)
    }
}

impl Outcome {
    /// Whom the server took the guest for, in JSON, each time that it asked.
    pub fn reviewed(&self) -> Vec<&str> {
        let items = self.stdout.lines().filter(|line| line.starts_with("item "));
        let user = |line: &'_ str| line.find("\"userInfo\":").map_or(0, |at| at + 11);
        items.map(|line| line[user(line)..].trim_end_matches([' ', '|'])).collect()
    }

    /// # Panics
    /// Where it did not ask, or the server took it for another.
    #[track_caller]
    pub fn expect_user(self, name: &str) -> Outcome {
        let expected = format!("{{\"username\":\"{name}\"");
        let users = self.reviewed();
        assert!(
            !users.is_empty() && users.iter().all(|user| user.starts_with(&expected)),
            "{name}: {self:?}"
        );
        self
    }
}

impl Live {
    /// Its next line that begins so, those before it skipped.
    ///
    /// # Panics
    /// Where it ends before, or tells an error that is not waited for.
    #[track_caller]
    pub fn line_of(&mut self, start: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the guest ended before it said {start:?}");
            if line.starts_with(start) {
                return line;
            }
            assert!(!line.starts_with("error"), "{line}");
        }
    }
}
