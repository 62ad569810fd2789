//! How long a plugin's credential is kept. The host is a library here, so that its clock can be set forward; plugin and server are real.

use std::time::{Duration, SystemTime};

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{Cache, Engine, Input, Output};
use tidegate_tests::{Act, Peer, guest, program};
use tokio::io::AsyncWriteExt as _;

/// A server, and a plugin that numbers its credentials, each good for an hour from its first run.
fn place() -> Peer {
    let peer = Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]));
    let end = std::process::Command::new("date").args(["-u", "-d", "1 hour", "+%Y-%m-%dT%H:%M:%SZ"]).output();
    let end = String::from_utf8(end.unwrap().stdout).unwrap();
    let script = format!(
        "echo run >>\"$1/runs\"\nprintf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
         \"status\":{{\"token\":\"number-%s\",\"expirationTimestamp\":\"{}\"}}}}' $(grep -c run \"$1/runs\")",
        end.trim()
    );
    let script = peer.write("plugin.sh", &script);
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /bin/sh, args: ['{}', '{}']}}}}",
        script.display(),
        peer.folder().display()
    );
    peer.write("config", &peer.kubeconfig_with(&user));
    peer
}

/// What came with each request of the guest, once there were as many.
async fn told(peer: &Peer, requests: usize) -> Vec<String> {
    let begun = SystemTime::now();
    loop {
        let seen = peer.seen();
        let own = seen.iter().filter(|asked| asked.target.starts_with("/step"));
        let token =
            |asked: &tidegate_tests::Asked| asked.header("authorization").unwrap_or_default().to_owned();
        let told: Vec<String> = own.map(token).collect();
        if told.len() >= requests {
            return told;
        }
        assert!(begun.elapsed().unwrap_or_default() < Duration::from_secs(60), "{told:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn later(minutes: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60 * minutes)).await;
    tokio::time::resume();
}

#[tokio::test(flavor = "current_thread")]
async fn a_credential_is_kept_until_shortly_before_its_end() {
    let cache = tempfile::tempdir().unwrap();
    let engine = Engine::builder().cache(Cache::Folder(cache.path().join("compiled")));
    let engine = engine.compiler(program("tidegate-compile")).build().unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    let peer = place();
    let mut options = Options::new("tidegate-tests (clock)");
    options.transports = vec![Transport::KubeConfig];
    options.kubeconfig.path = Some(peer.kubeconfig());
    let mut grants = Grants::builder();
    grants.allow(Kind::Read, peer.folder().to_str()).unwrap();
    grants.allow(Kind::Net, Some(&peer.address())).unwrap();
    grants.allow(Kind::Run, Some("/bin/sh")).unwrap();

    let (mut lines, stdin) = tokio::io::duplex(64);
    let (stdout, written) = Output::capture(1 << 16);
    let run = script.run().options(options).grants(grants.build()).stdin(Input::reader(stdin)).stdout(stdout);
    let run = run.stderr(Output::null()).arguments([
        "--via",
        "kube-config",
        "/step/1",
        "/step/2",
        "@wait",
        "/step/3",
        "@wait",
        "/step/4",
    ]);
    let drive = async {
        told(&peer, 2).await;
        later(57).await;
        lines.write_all(b"\n").await.unwrap();
        told(&peer, 3).await;
        // A minute before its end it is replaced, though it is good still: 59½ of its 60 are over.
        later(2).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(30)).await;
        tokio::time::resume();
        lines.write_all(b"\n").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(run.start(), drive);
    assert_eq!(outcome.unwrap().exit_code(), 0, "{}", written.text());
    let number = |number: u8| format!("Bearer number-{number}");
    assert_eq!(told(&peer, 4).await, [1, 1, 1, 2].map(number));
}
