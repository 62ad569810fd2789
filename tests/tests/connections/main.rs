//! Connections by name: what the configuration defines, what a guest sees of it and that it sees nothing else, and what a program registers.
//!
//! What an idle connection costs is measured in `idle`: less than 2 KiB but for one that is given both a long token and a CA of its own as values,
//! which weighs these and 560 bytes.
//!
//! Covers: A10, A11

mod clusters;
mod commands;
mod configuration;
mod grants;
mod program;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tidegate_tests::{Act, Outcome, Peer, Run, TOKEN};

/// What the second cluster's credential is; nothing of it is in [`TOKEN`].
const OTHER: &str = "0ther-9c1e.77aa_bfd0";

/// Two servers that ask for nothing and note what they are sent, and a folder with a configuration of theirs.
struct Place {
    east: Peer,
    west: Peer,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let peer = || Peer::answering(|asked| asked.or_api(|| vec![Act::json(r#"{"kind":"Pod"}"#)]));
        let (east, west) = (peer(), peer());
        west.write("config", &west.kubeconfig_with(&format!("{{token: '{OTHER}'}}")));
        let place = Place { east, west, folder: tempfile::tempdir().unwrap() };
        let (east, west) = (place.east.kubeconfig(), place.west.kubeconfig());
        place.write(&format!(
            "connections:\n  east: {{conn: {}, conn_opts: {{context: x}}}}\n  west: {{conn: {}}}\n  \
             west-2: {{conn: {}, conn_opts: {{user: u, cluster: c}}}}\n  gone: {{conn: /nowhere/kubeconfig}}\n\
             permissions:\n  ci: [--allow-connection=west]\n  all: ['--allow-connection=e*', '--allow-connection=west']\n",
            east.display(),
            west.display(),
            west.display(),
        ));
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tidegate.yaml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
        std::fs::set_permissions(self.file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn ask(&self, via: &str) -> Run {
        asking(via).flag_path("--config", &self.file())
    }

    fn command(&self, words: &str) -> Run {
        Run::command("connections").flags(words).flag_path("--config", &self.file())
    }
}

fn asking(via: &str) -> Run {
    Run::guest("ask").argument("--via").argument(via).argument("/api/v1/pods")
}

/// Every `Authorization` that a peer got, once each.
fn credentials(peer: &Peer) -> Vec<String> {
    let seen = peer.seen();
    let mut sent: Vec<String> =
        seen.iter().map(|asked| asked.header("authorization").unwrap_or("nothing").to_owned()).collect();
    sent.sort();
    sent.dedup();
    sent
}

#[track_caller]
fn without_secrets(outcome: &Outcome) {
    for secret in [TOKEN, OTHER] {
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(secret), "{outcome:?}");
    }
}
