//! A guest that watches, and what it tells.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tidegate_tests::Run;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The guest `watcher`, by a kubeconfig whose server is, or seems to be, at `address`.
pub(crate) fn watcher(kubeconfig: &Path, address: &str, arguments: &[&str]) -> Run {
    Run::guest("watcher")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", kubeconfig)
        .flag_path("--allow-read", kubeconfig.parent().unwrap())
        .flag(format!("--allow-net={address}"))
        .deadline(PATIENCE)
        .arguments(arguments)
}

/// A guest that goes on until this is dropped, and what it told so far.
pub(crate) struct Told {
    child: Child,
    lines: Receiver<String>,
    pub(crate) all: Vec<String>,
    /// What the objects are that it was told of, and the values of their label `v`.
    pub(crate) known: BTreeMap<String, String>,
    listing: BTreeMap<String, String>,
    _run: Run,
}

impl Told {
    pub(crate) fn of(run: Run) -> Told {
        let mut child = run.to_command().spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Told { child, lines, all: Vec::new(), known: BTreeMap::new(), listing: BTreeMap::new(), _run: run }
    }

    /// The next line.
    pub(crate) fn next(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error} behind {:?}", self.all));
        self.fold(&line);
        self.all.push(line.clone());
        line
    }

    /// The lines up to one that begins so.
    pub(crate) fn until(&mut self, begin: &str) -> String {
        loop {
            let line = self.next();
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    /// Goes on until what is known is this.
    pub(crate) fn until_known(&mut self, wanted: &BTreeMap<String, String>) {
        let end = Instant::now() + PATIENCE;
        while self.known != *wanted {
            assert!(Instant::now() < end, "{:?} is known, not {wanted:?}: {:?}", self.known, self.all);
            self.next();
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn fold(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["init"] => self.listing.clear(),
            ["init-apply", name, value] => drop(self.listing.insert(name.into(), value.into())),
            ["init-done"] => self.known = std::mem::take(&mut self.listing),
            ["apply", name, value] => drop(self.known.insert(name.into(), value.into())),
            ["delete", name, _] => drop(self.known.remove(name)),
            ["error", ..] => {}
            _ => panic!("{line}"),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `name=value` pairs.
pub(crate) fn objects(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}
