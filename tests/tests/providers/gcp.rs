//! `gcp`: the token that was kept while it lasts, then what the command prints.

use std::os::unix::fs::PermissionsExt as _;

use tidegate_tests::{Act, Outcome, Peer, Run};

/// What ends, and what does not.
const OVER: &str = "2020-01-01T00:00:00Z";
const LASTS: &str = "2090-01-01T00:00:00Z";

struct Place {
    peer: Peer,
    command: String,
}

impl Place {
    /// A server, and a command that counts its runs and prints this.
    fn new(printed: &str) -> Place {
        let peer = Peer::answering(|asked| match asked.header("authorization") {
            Some("Bearer stale") => vec![Act::respond("401 Unauthorized", "application/json", "{}")],
            _ => asked.or_api(|| vec![Act::json("{}")]),
        });
        let script = format!("#!/bin/sh\necho \"$*\" >>\"${{0%/*}}/runs\"\ncat <<'END'\n{printed}\nEND\n");
        let command = peer.write("a-gcloud", &script);
        std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o700)).unwrap();
        let command = command.display().to_string();
        Place { peer, command }
    }

    /// A guest that asks twice, with what the provider's `config` holds.
    fn run(&self, config: &str) -> Run {
        let user = format!("{{auth-provider: {{name: gcp, config: {{{config}}}}}}}");
        self.peer.write("config", &self.peer.kubeconfig_with(&user));
        let _ = std::fs::remove_file(self.peer.folder().join("runs"));
        Run::ask(&self.peer).arguments(&["/x", "/y"])
    }

    fn with_command(&self, more: &str) -> String {
        format!("cmd-path: '{}', cmd-args: config config-helper --format=json, {more}", self.command)
    }

    fn runs(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.peer.folder().join("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn expect_told(&self, outcome: Outcome, token: &str) {
        outcome.expect_code(0);
        let told = self.peer.seen().pop().unwrap();
        assert_eq!(told.header("authorization"), Some(format!("Bearer {token}").as_str()));
    }
}

/// What gcloud prints.
fn credential(expiry: &str) -> String {
    format!(r#"{{"credential":{{"access_token":"of-gcloud","token_expiry":"{expiry}"}}}}"#)
}

const KEYS: &str = "token-key: '{.credential.access_token}', expiry-key: '{.credential.token_expiry}'";

#[test]
fn a_token_that_was_kept_is_used_while_it_lasts() {
    let place = Place::new(&credential(LASTS));
    let kept = |expiry: &str| format!("access-token: kept, expiry: '{expiry}'");
    place.expect_told(place.run(&kept(LASTS)).run(), "kept");
    // Beside a command too, which needs its grant nevertheless: it will be run once the token ends.
    let both = place.with_command(&format!("{KEYS}, {}", kept(LASTS)));
    let granted = |config: &str| place.run(config).flag(format!("--allow-run={}", place.command));
    place.expect_told(granted(&both).run(), "kept");
    assert_eq!(place.runs().len(), 0);
    let over = place.with_command(&format!("{KEYS}, {}", kept(OVER)));
    place.expect_told(granted(&over).run(), "of-gcloud");
    assert_eq!(place.runs(), ["config config-helper --format=json"]);
    // The server knows better than its date.
    let stale = place.with_command(&format!("{KEYS}, access-token: stale, expiry: '{LASTS}'"));
    place.expect_told(granted(&stale).run(), "of-gcloud");
    // With nothing to have another by, that is said.
    let outcome = place.run(&kept(OVER)).run().expect_code(3);
    assert!(outcome.stdout.contains("the access-token has ended and there is no cmd-path"), "{outcome:?}");
}

#[test]
fn the_command_needs_its_own_grant() {
    let place = Place::new(&credential(LASTS));
    let config = place.with_command(KEYS);
    let flag = format!("--allow-run={}", place.command);
    let outcome = place.run(&config).run().expect_code(3);
    assert!(outcome.stdout.contains(&format!("missing {flag}")), "{outcome:?}");
    assert_eq!((place.runs().len(), place.peer.connections()), (0, 0));
    place.expect_told(place.run(&config).flag(&flag).run(), "of-gcloud");
    assert_eq!(place.runs().len(), 1, "once for both requests");
}

#[test]
fn what_the_command_prints_is_not_told_where_it_is_of_no_use() {
    for printed in
        [r#"hush"#, r#"{"credential":{"other":"hush"}}"#, r#"{"credential":{"access_token":["hush"]}}"#]
    {
        let place = Place::new(printed);
        let run = place.run(&place.with_command(KEYS)).flag(format!("--allow-run={}", place.command));
        let outcome = run.run().expect_code(3);
        assert!(outcome.stdout.contains("the access token command's answer cannot be used"), "{outcome:?}");
        assert!(!outcome.everything().contains("hush"), "{outcome:?}");
        assert_eq!(place.peer.connections(), 0);
    }
}
