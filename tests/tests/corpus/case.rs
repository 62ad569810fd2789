//! A case's file: a header of comments, and the kubeconfig.

use std::fmt::Write as _;
use std::path::Path;

use crate::Outcome;

/// One kubeconfig, and what is to come of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// The file's name without its end.
    pub(crate) name: String,
    /// The first comment: why it is here.
    pub(crate) why: String,
    /// Flags for both clients: `--context=x`.
    pub(crate) flags: Vec<String>,
    /// `KUBECONFIG`. Default: the file alone. Empty: the variable is not set, and the file is `$HOME/.kube/config`.
    pub(crate) kubeconfig: Option<String>,
    /// Variables for both clients, `NAME=VALUE`.
    pub(crate) env: Vec<String>,
    /// Flags for tidegate, besides what every case is granted.
    pub(crate) grant: Vec<String>,
    /// How the file's bytes are made of its text.
    pub(crate) encode: Encode,
    /// Tidegate's outcome; kubectl's too, unless [`kubectl`](Self::kubectl) is there.
    pub(crate) expect: Option<String>,
    /// kubectl's outcome where it is another.
    pub(crate) kubectl: Option<String>,
    /// Why the two differ.
    pub(crate) differs: Option<String>,
    /// Header and kubeconfig, templates in them.
    pub(crate) bytes: Vec<u8>,
    /// Where the kubeconfig begins.
    body: usize,
}

/// What is hard to review in an editor is made from text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Encode {
    /// As it is.
    #[default]
    Plain,
    /// With a byte order mark.
    Bom,
    /// With CR LF.
    CrLf,
    /// UTF-16 with a byte order mark, little end first.
    Utf16,
    /// Every byte as ISO 8859-1.
    Latin1,
}

/// The corpus, by name.
pub(crate) fn all(folder: &Path) -> Vec<Case> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

impl Case {
    fn read(path: &Path) -> Case {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut case = Case { name, bytes: std::fs::read(path).unwrap(), ..Case::default() };
        for line in case.bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_prefix(b"# ") else { break };
            case.body += line.len() + 2;
        }
        let header = String::from_utf8(case.bytes[..case.body].to_vec()).unwrap();
        for line in header.lines().map(|line| &line[2..]) {
            case.take(line);
        }
        assert!(!case.why.is_empty(), "{}: the first comment says why it is here", case.name);
        case
    }

    fn take(&mut self, line: &str) {
        if self.why.is_empty() {
            self.why = line.to_owned();
            return;
        }
        let (word, value) = line.split_once(':').unwrap_or_else(|| panic!("{}: {line}", self.name));
        let value = value.trim().to_owned();
        match word {
            "flag" => self.flags.push(value),
            "kubeconfig" => self.kubeconfig = Some(value),
            "env" => self.env.push(value),
            "grant" => self.grant.push(value),
            "encode" => self.encode = Encode::named(&value),
            "expect" => self.expect = Some(value),
            "kubectl" => self.kubectl = Some(value),
            "differs" => self.differs = Some(value),
            _ => panic!("{}: no such word: {word}", self.name),
        }
    }

    /// The kubeconfig's text, templates in it, before it is encoded.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Writes what was found into the header.
    pub(crate) fn update(&self, folder: &Path, tidegate: &Outcome, kubectl: &Outcome) {
        let is_found = |line: &&str| line.starts_with("# expect:") || line.starts_with("# kubectl:");
        let header = String::from_utf8_lossy(&self.bytes[..self.body]).into_owned();
        let mut text: String =
            header.lines().filter(|line| !is_found(line)).map(|line| format!("{line}\n")).collect();
        let [found, reference] = [tidegate, kubectl].map(ToString::to_string);
        let _ = writeln!(text, "# expect: {found}");
        if found != reference {
            let _ = writeln!(text, "# kubectl: {reference}");
        }
        let bytes = [text.as_bytes(), &self.bytes[self.body..]].concat();
        std::fs::write(folder.join(format!("{}.yaml", self.name)), bytes).unwrap();
    }
}

impl Encode {
    fn named(name: &str) -> Encode {
        match name {
            "bom" => Encode::Bom,
            "crlf" => Encode::CrLf,
            "utf-16" => Encode::Utf16,
            "latin-1" => Encode::Latin1,
            _ => panic!("no such encoding: {name}"),
        }
    }

    /// The file's bytes.
    pub(crate) fn apply(self, text: Vec<u8>) -> Vec<u8> {
        let lossy = || String::from_utf8(text.clone()).unwrap();
        match self {
            Encode::Plain => text,
            Encode::Bom => [b"\xef\xbb\xbf", text.as_slice()].concat(),
            Encode::CrLf => lossy().replace('\n', "\r\n").into_bytes(),
            Encode::Utf16 => {
                let units = std::iter::once(0xfeff).chain(lossy().encode_utf16().collect::<Vec<_>>());
                units.flat_map(u16::to_le_bytes).collect()
            }
            Encode::Latin1 => lossy().chars().map(|c| c as u8).collect(),
        }
    }
}
