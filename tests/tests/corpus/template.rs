//! What differs from run to run: folders, ports, keys.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use tidegate_tests::{Door, Keys, Recorder};

use crate::case::Case;

/// A folder with a case's files, its templates filled in for one recorder.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    values: Vec<(String, String)>,
}

/// Names of doors, as `host:port`.
const DOORS: [(&str, Door); 8] = [
    ("host", Door::Tls),
    ("host6", Door::Tls6),
    ("given", Door::Given),
    ("plain", Door::Plain),
    ("http-proxy", Door::HttpProxy),
    ("https-proxy", Door::HttpsProxy),
    ("socks5", Door::Socks5),
    ("refusing-proxy", Door::ProxyThatRefuses),
];

impl Place {
    pub(crate) fn new(case: &Case, recorder: &Recorder) -> Place {
        let folder = tempfile::tempdir().unwrap();
        // As the programs see it: a link before it would be shown resolved.
        let path = folder.path().canonicalize().unwrap();
        Keys::shared().write(&path);
        let mut values = vec![("dir".to_owned(), path.display().to_string())];
        for (name, door) in DOORS {
            let address = recorder.address(door);
            values.push((name.to_owned(), address.to_string()));
            values.push((format!("{name}-port"), address.port().to_string()));
        }
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        values.push(("closed".to_owned(), closed.to_string()));
        let place = Place { folder, values };
        std::fs::create_dir_all(path.join("home/.kube")).unwrap();
        place.copy(&crate::folder().join("files"), &path);
        let file = if case.kubeconfig.as_deref() == Some("") { "home/.kube/config" } else { "config" };
        std::fs::write(path.join(file), case.encode.apply(place.fill(case.text()))).unwrap();
        place
    }

    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(&self.values[0].1)
    }

    pub(crate) fn fill_text(&self, text: &str) -> String {
        String::from_utf8(self.fill(text.as_bytes())).unwrap()
    }

    /// Puts the names back for what they stand for, so that a text is the same in each run.
    pub(crate) fn name(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| {
            if name.ends_with("-port") {
                // A bare number would be found in others.
                text.replace(&format!(":{value}"), &format!(":{{{{{name}}}}}"))
            } else {
                text.replace(value, &format!("{{{{{name}}}}}"))
            }
        })
    }

    /// `{{name}}`, and `{{base64:FILE}}`, `{{json:FILE}}` for what a file holds. Bytes that are no text stay.
    fn fill(&self, mut text: &[u8]) -> Vec<u8> {
        let find = |text: &[u8], mark: &[u8]| text.windows(2).position(|window| window == mark);
        let mut out = Vec::new();
        while let Some(start) = find(text, b"{{") {
            let Some(length) = find(&text[start..], b"}}") else { break };
            let name = std::str::from_utf8(&text[start + 2..start + length]).unwrap();
            out.extend_from_slice(&text[..start]);
            out.extend_from_slice(self.value(name).as_bytes());
            text = &text[start + length + 2..];
        }
        out.extend_from_slice(text);
        out
    }

    fn value(&self, name: &str) -> String {
        let read = |file| std::fs::read_to_string(self.path().join(file)).unwrap();
        match name.split_once(':') {
            Some(("base64", file)) => base64::engine::general_purpose::STANDARD.encode(read(file)),
            Some(("pem", file)) => read(file),
            Some(("json", file)) => read(file).replace('\n', "\\n"),
            _ => {
                let found = self.values.iter().find(|(own, _)| own == name);
                found.unwrap_or_else(|| panic!("no template {{{{{name}}}}}")).1.clone()
            }
        }
    }

    fn copy(&self, from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                self.copy(&entry.path(), &target);
                continue;
            }
            std::fs::write(&target, self.fill(&std::fs::read(entry.path()).unwrap())).unwrap();
            std::fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
        }
        let _ = &self.folder;
    }
}
