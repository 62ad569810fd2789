//! Exec plugins, as programs of their own, good and bad.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_authority::Authority;
use tidegate_transport::{Choice, Code, CredentialKind, Error, Kind, Options, Transport, connect, diagnose};

use crate::peer::{Act, Peer, Seen, json, kubernetes, reply};
use crate::pki;
use crate::setup::{Heard, authority, get, options, write};

const V1: &str = "client.authentication.k8s.io/v1";

mod contract;
mod hostile;
mod renewal;

/// A folder with a plugin, a kubeconfig that names it, and a server.
struct Stage {
    folder: tempfile::TempDir,
    ca: pki::Authority,
    peer: Peer,
    options: Options,
    heard: Arc<Heard>,
}

impl Stage {
    async fn new(answer: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) -> Stage {
        let ca = pki::Authority::new("server");
        let config = ca.issue(&["127.0.0.1"]).server_for_any();
        let peer = Peer::tls(config, answer).await;
        let (heard, mut options) = (Arc::new(Heard::default()), options());
        options.observer = heard.clone();
        options.plugins.deadline = Duration::from_secs(20);
        Stage { folder: tempfile::tempdir().expect("folder"), ca, peer, options, heard }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The plugin's text; `$T` is the folder.
    fn plugin(&self, text: &str) {
        let path = self.path("plugin");
        write(&path, &text.replace("$T", self.folder.path().to_str().expect("path")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("mode");
    }

    /// `exec` is the entry's further fields.
    fn kubeconfig(&self, exec: &str) {
        let pem = self.path("ca.crt");
        write(&pem, &self.ca.pem);
        let version = if exec.contains("apiVersion") { String::new() } else { format!("apiVersion: {V1}, ") };
        let command = if exec.contains("command") { "" } else { "command: ./plugin, " };
        write(
            &self.path("config"),
            &crate::setup::kubeconfig(
                &format!("server: 'https://{}', certificate-authority: ca.crt", self.peer.address),
                &format!("exec: {{{version}{command}interactiveMode: IfAvailable, {exec}}}"),
            ),
        );
    }

    fn granted(&self) -> Authority {
        let path = std::env::var("PATH").expect("PATH");
        let plugin = self.path("plugin");
        authority(
            &[("run", plugin.to_str().expect("path")), ("read", ""), ("net", "")],
            &[("PATH", &path), ("HOME", "/home/me"), ("LD_PRELOAD", "/evil.so")],
        )
    }

    async fn connect(&self) -> Result<Arc<dyn Transport>, Error> {
        self.connect_with(&self.granted()).await
    }

    async fn connect_with(&self, authority: &Authority) -> Result<Arc<dyn Transport>, Error> {
        let choice = Choice::ReadKubeConfig { path: Some(self.path("config")), context: None };
        connect(authority, &self.options, choice).await
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How often the plugin ran, where it counts.
    fn runs(&self) -> usize {
        self.read("runs").len()
    }
}

/// Believes this token alone.
fn believes(token: &'static str) -> impl Fn(&Seen) -> Vec<Act> {
    move |seen| match seen.header("authorization") {
        Some(header) if header == format!("Bearer {token}") => kubernetes(|_| json("{}"))(seen),
        _ => reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#),
    }
}

fn answer(status: &str) -> String {
    format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{status}}}"#)
}

/// Ends the process whose id this file holds.
fn end(pid: &Path) {
    let pid = std::fs::read_to_string(pid).expect("pid");
    let status = std::process::Command::new("kill").arg(pid.trim()).status().expect("kill");
    assert!(status.success());
}
