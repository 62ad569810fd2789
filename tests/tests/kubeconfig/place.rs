use std::path::PathBuf;

use tidegate_tests::{Act, Outcome, Peer, Run};

/// Two servers, and a folder with a file for each, `one` and `sub/two`.
pub(crate) struct Place {
    pub(crate) one: Peer,
    pub(crate) two: Peer,
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let peer = || Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]));
        let place = Place { one: peer(), two: peer(), folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(place.at("sub")).unwrap();
        for (peer, folder, name) in [(&place.one, "", "one"), (&place.two, "sub", "two")] {
            let folder = place.at(folder);
            std::fs::copy(peer.folder().join("ca.crt"), folder.join("ca.crt")).unwrap();
            std::fs::write(folder.join("token"), format!("file-of-{name}")).unwrap();
            let text = format!(
                "clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: ca.crt}}}}, \
                 {{name: of-{name}, cluster: {{server: '{url}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {{token: inline-of-{name}}}}}, {{name: of-{name}, user: {{tokenFile: token}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}, {{name: of-{name}, context: {{cluster: of-{name}, user: of-{name}}}}}]
current-context: of-{name}\n",
                url = peer.url(),
            );
            std::fs::write(folder.join(name), text).unwrap();
        }
        place
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `{}` in a list is the folder.
    pub(crate) fn list(&self, list: &str) -> String {
        list.replace("{}", self.folder.path().to_str().unwrap())
    }

    pub(crate) fn bare(&self) -> Run {
        Run::guest("ask").flag("--transports=KubeConfig").arguments(&["--via", "kube-config", "/x"])
    }

    pub(crate) fn run(&self) -> Run {
        let run =
            self.bare().flag_path("--allow-read", self.folder.path()).flag("--allow-env=KUBECONFIG,HOME");
        run.flag(format!("--allow-net={},{}", self.one.address(), self.two.address()))
    }

    /// The one server that was asked, and with what.
    #[track_caller]
    pub(crate) fn expect_asked(&self, what: &str, outcome: Outcome, server: &str, token: &str) {
        assert_eq!(outcome.code(), 0, "{what}: {outcome:?}");
        self.expect_token(what, server, token);
    }

    /// With what the last request was sent to this one.
    #[track_caller]
    pub(crate) fn expect_token(&self, what: &str, server: &str, token: &str) {
        let peer = if server == "one" { &self.one } else { &self.two };
        let asked = peer.seen().pop().unwrap_or_else(|| panic!("{what}: {server} was not asked"));
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {token}").as_str()), "{what}");
    }
}
