//! A kubectl whose runs are noted, a cluster, and a home.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tidegate_cluster::{AuthKind, Behind, Cluster, Options, Shared};
use tidegate_tests::{Run, kubectl};

pub(crate) const NAMESPACE: &str = "raw";

/// The cluster of this process, with a pod in which programs run.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(|| Options::api_only().with_kubelet());
    static POD: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    let cluster = CLUSTER.get().expect("a real control plane");
    POD.get_or_init(|| {
        cluster.run_pod(NAMESPACE, "web", &["web"], &Behind::default()).expect("a pod that runs");
    });
    cluster
}

/// One run of kubectl.
pub(crate) struct Noted {
    /// Under which path it was started.
    pub(crate) program: String,
    /// But for `--cache-dir`.
    pub(crate) arguments: Vec<String>,
    pub(crate) cache: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    /// The requests that it made: `GET https://…`.
    pub(crate) requests: Vec<String>,
}

/// A folder with a program that is called kubectl: the real one, whose runs are noted.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(place.path("runs")).expect("a folder");
        let script = format!(
            "#!/bin/sh
run=$(mktemp -d {runs}/$(date +%s%N)-XXXX)
printf '%s' \"$0\" > $run/program
printf '%s\\0' \"$@\" > $run/arguments
env -0 > $run/environment
{kubectl} -v=6 \"$@\" 2> $run/said
code=$?
grep -v '^[IW][0-9]' $run/said >&2
exit $code\n",
            runs = place.path("runs").display(),
            kubectl = kubectl().display(),
        );
        std::fs::write(place.kubectl(), script).expect("write a program");
        std::fs::set_permissions(place.kubectl(), std::fs::Permissions::from_mode(0o700)).expect("chmod");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn kubectl(&self) -> PathBuf {
        self.path("kubectl")
    }

    /// A guest that may run kubectl, and nothing else.
    pub(crate) fn guest(&self, name: &str) -> Run {
        Run::guest(name)
            .flag("--transports=KubectlRaw")
            .flag_path("--kubectl", &self.kubectl())
            .flag_path("--allow-run", &self.kubectl())
            .variable("KUBECONFIG", cluster().kubeconfig(AuthKind::Token))
    }

    /// The guest `ask`, with its request flags and paths.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Run {
        self.guest("ask").arguments(&["--via", "kubectl-raw", "--show", "100000"]).arguments(arguments)
    }

    /// All runs so far, in order, but for the question whether a server is there.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        let runs = std::fs::read_dir(self.path("runs")).expect("the runs");
        let mut runs: Vec<PathBuf> = runs.flatten().map(|run| run.path()).collect();
        runs.sort();
        let noted = runs.iter().map(|run| Noted::read(run));
        noted.filter(|noted| noted.arguments != ["get", "--raw=/api"]).collect()
    }

    /// What the last run was told to do.
    pub(crate) fn last(&self) -> Noted {
        self.noted().pop().expect("a run")
    }

    /// The real kubectl, whose runs are not noted.
    pub(crate) fn plain(&self, arguments: &str) -> Command {
        let mut command = cluster().kubectl();
        command.args(arguments.split(' '));
        command
    }
}

impl Noted {
    fn read(run: &Path) -> Noted {
        let text = |name: &str| std::fs::read_to_string(run.join(name)).unwrap_or_default();
        let mut arguments: Vec<String> =
            text("arguments").split_terminator('\0').map(str::to_owned).collect();
        let cache = arguments.remove(0);
        let cache = cache.strip_prefix("--cache-dir=").expect("first of all where to keep things").into();
        let environment = text("environment");
        let environment = environment.split_terminator('\0').filter_map(|line| line.split_once('='));
        let said = text("said");
        let between = |line: &str, begin: &str| Some(line.split_once(begin)?.1.split('"').next()?.to_owned());
        let requests = said
            .lines()
            .filter(|line| line.contains("\"Response\""))
            .filter_map(|line| Some(format!("{} {}", between(line, "verb=\"")?, between(line, "url=\"")?)));
        Noted {
            program: text("program"),
            arguments,
            cache,
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            requests: requests.collect(),
        }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}
