//! What a script may do with the handles, through our WebSocket and through kubectl.

use crate::{NAMESPACE, POD, ours, script};

#[test]
fn a_script_does_with_processes_what_it_likes() {
    for via in ["KubeConfig", "KubectlRaw"] {
        let found = ours(&script("processes", via).arguments(&[NAMESPACE, POD, "web"]), Vec::new());
        let lines = String::from_utf8_lossy(&found.stdout).into_owned();
        assert_eq!(found.code, Some(0), "{via}: {}", found.text());
        assert!(
            lines.lines().count() == 9 && lines.lines().all(|line| line.starts_with("ok ")),
            "{via}: {lines}"
        );
    }
}
