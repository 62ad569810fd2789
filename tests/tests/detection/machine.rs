use std::path::PathBuf;

use tidegate_tests::{Act, Asked, Manner, Outcome, Peer, Run, Shown, kubectl};

/// In the order in which detection tries them.
pub(crate) const ALL: [&str; 4] = ["InCluster", "KubeConfig", "KubectlProxy", "KubectlRaw"];

/// A machine on which every transport leads to a server of its own, in [`ALL`]'s order, and works.
pub(crate) struct Machine {
    pub(crate) peers: [Peer; 4],
}

impl Machine {
    pub(crate) fn new() -> Machine {
        Machine { peers: ALL.map(|name| peer(name, |asked| asked.or_api(|| vec![Act::json("{}")]))) }
    }

    /// The same with another server for one of them.
    pub(crate) fn with(mut self, transport: &str, peer: Peer) -> Machine {
        self.peers[index(transport)] = peer;
        self
    }

    pub(crate) fn peer(&self, transport: &str) -> &Peer {
        &self.peers[index(transport)]
    }

    /// A file of one of the servers' folders.
    pub(crate) fn file(&self, transport: &str, name: &str) -> PathBuf {
        self.peer(transport).folder().join(name)
    }

    /// A script that detects and reports, on this machine, with nothing granted.
    pub(crate) fn report(&self) -> Run {
        self.describe(Run::guest("autodetect-report"))
    }

    /// What the command line says of this machine; it grants nothing.
    pub(crate) fn describe(&self, run: Run) -> Run {
        run.flag_path("--service-account", &self.peer("InCluster").folder())
            .flag(format!("--in-cluster-address={}", self.peer("InCluster").address()))
            .flag_path("--kubeconfig", &self.peer("KubeConfig").kubeconfig())
            .flag(format!("--kubectl-proxy={}", self.peer("KubectlProxy").url()))
            .flag_path("--kubectl", &kubectl())
            // For kubectl itself.
            .variable("KUBECONFIG", self.peer("KubectlRaw").kubeconfig())
    }

    /// All that one transport needs.
    pub(crate) fn grants(&self, transport: &str) -> Vec<String> {
        let read = |path: PathBuf| format!("--allow-read={}", path.display());
        let net = format!("--allow-net={}", self.peer(transport).address());
        match transport {
            "InCluster" => vec![read(self.peer(transport).folder()), net],
            "KubeConfig" => {
                vec![read(self.file(transport, "config")), read(self.file(transport, "ca.crt")), net]
            }
            "KubectlProxy" => vec![net],
            _ => vec![format!("--allow-run={}", kubectl().display())],
        }
    }

    /// All that these need.
    pub(crate) fn all_grants(&self, transports: &[&str]) -> Vec<String> {
        transports.iter().flat_map(|transport| self.grants(transport)).collect()
    }

    /// Which servers were connected to.
    pub(crate) fn touched(&self) -> Vec<&'static str> {
        ALL.into_iter().filter(|transport| self.peer(transport).connections() > 0).collect()
    }
}

/// A server for one transport: `kubectl proxy` speaks plain HTTP, the others TLS.
pub(crate) fn peer(transport: &str, script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Peer {
    let shown = if transport == "KubectlProxy" { Shown::Plain } else { Shown::Good };
    Peer::start(shown, Manner::Usual, script)
}

fn index(transport: &str) -> usize {
    ALL.iter().position(|name| *name == transport).unwrap()
}

/// What [`Machine::report`] says came of each transport that was tried, as `(transport, verdict)`, in its order; the one that works last.
pub(crate) fn verdicts(outcome: &Outcome) -> Vec<(String, String)> {
    let lines = outcome.stdout.lines().skip_while(|line| *line != "transports").skip(1);
    let of_transport = |line: &&str| ALL.iter().any(|name| line.trim_start().starts_with(name));
    lines
        .filter(of_transport)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (transport, verdict) = (words.next()?, words.next()?);
            Some((transport.to_owned(), verdict.trim_end_matches(':').to_owned()))
        })
        .collect()
}

/// `&[("InCluster", "works")]`, as [`verdicts`] has it.
pub(crate) fn expected(verdicts: &[(&str, &str)]) -> Vec<(String, String)> {
    verdicts.iter().map(|(transport, verdict)| ((*transport).to_owned(), (*verdict).to_owned())).collect()
}
