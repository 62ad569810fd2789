use crate::{Outcome, Peer, Run};

impl Run {
    /// The guest `ask`, through the peer's kubeconfig and nothing else, with all that it needs granted. Flags of tidegate may follow, and
    /// arguments of `ask`: request flags, then paths.
    pub fn ask(peer: &Peer) -> Run {
        Run::asking(peer, "kube-config")
            .flag("--transports=KubeConfig")
            .flag_path("--kubeconfig", &peer.kubeconfig())
            .flag_path("--allow-read", &peer.folder())
    }

    /// The guest `ask`, by a way of the test's choice, with the network to the peer granted and no more.
    pub fn asking(peer: &Peer, via: &str) -> Run {
        let run = Run::guest("ask").flag(format!("--allow-net={}", peer.address()));
        run.argument("--via").argument(via).deadline(std::time::Duration::from_secs(20))
    }

    /// Several arguments.
    #[must_use]
    pub fn arguments(self, arguments: &[&str]) -> Run {
        arguments.iter().fold(self, Run::argument)
    }
}

impl Outcome {
    /// What both streams hold, for a search that must find nothing.
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// The lines of standard error, but for the compiler's progress, which is there or not as the cache of compiled code is cold or warm.
    pub fn said(&self) -> Vec<&str> {
        without_progress(&self.stderr)
    }

    /// # Panics
    /// Where standard output lacks a line that begins so.
    #[track_caller]
    pub fn expect_line(self, start: &str) -> Outcome {
        let found = self.stdout.lines().any(|line| line.starts_with(start));
        assert!(found, "no line begins with {start:?}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

pub(crate) fn without_progress(stderr: &str) -> Vec<&str> {
    let is_progress = |line: &str| line.starts_with("Compiling ") || line.starts_with("Compiled ");
    stderr.lines().filter(|line| !is_progress(line)).collect()
}
