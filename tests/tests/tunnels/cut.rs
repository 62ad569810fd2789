//! Tunnels that a proxy harms at a random byte: a typed error, and nothing that stays.

use std::time::Duration;

use tidegate::{Ending, Input};
use tidegate_cluster::Behind;
use tidegate_tests::{Dice, Fault, FaultProxy, Toward, eventually};

use crate::harmed::{Place, closed};
use crate::{NAMESPACE, POD, cluster, kubeconfig, through};

/// How many bytes a whole run carries each way, at least.
const VOLUME: u64 = 400_000;

/// Which bytes are hit; the same ones each time.
const SEED: u64 = 11;

#[tokio::test(flavor = "current_thread")]
async fn a_tunnel_that_is_harmed_ends_with_an_error_and_leaves_nothing() {
    let attach = vec![("cat".to_owned(), vec!["cat".to_owned()])];
    let behind = Behind { attach, ..Behind::default() };
    cluster().run_pod(NAMESPACE, "echo", &["cat"], &behind).expect("a pod that runs");
    let place = Place::new(cluster());
    let script = place.script("exec").await;
    let exec = ["-n", NAMESPACE, "-i", "-c", "web", POD, "--", "cat"];
    let attach = ["-n", NAMESPACE, "-i", "-c", "cat", "--attach", "echo"];
    let mut dice = Dice::new(SEED);
    for round in 0..36 {
        // Behind what a handshake and the upgrade take, so that the tunnel itself is hit; and a few before.
        let at = if round % 6 == 0 { dice.below(6_000) } else { 8_000 + dice.below(VOLUME - 20_000) };
        let toward = if dice.below(2) == 0 { Toward::Client } else { Toward::Server };
        let fault = match round % 3 {
            0 => Fault::Cut(toward, at),
            1 => Fault::Reset(toward, at),
            _ => Fault::Corrupt(toward, at),
        };
        // The first connection asks `GET /api`; the second is the tunnel's, and its harm is what counts.
        let proxy = FaultProxy::with(cluster().address(), move |number| {
            if number == 0 && round % 6 != 0 { Vec::new() } else { vec![fault] }
        });
        let arguments = if round % 4 < 2 { &exec[..] } else { &attach };
        let stdin = Input::bytes(vec![b'x'; usize::try_from(VOLUME).expect("small")]);
        let running = place.run(&script, &proxy, arguments, stdin);
        let outcome = tokio::time::timeout(Duration::from_secs(60), running.end);
        let outcome = outcome.await.expect("an end in time");
        let said = running.stderr.text();
        assert_eq!(outcome.ending, Ending::Exited(1), "{fault:?}: {said}");
        assert!(running.stdout.bytes().len() < usize::try_from(VOLUME).expect("small"), "{fault:?}");
        let typed = [
            "the tunnel was cut after",
            "TLS",
            "the handshake",
            "closed the connection",
            "cannot be reached",
            "no Kubernetes client",
        ];
        assert!(typed.iter().any(|words| said.contains(words)), "{fault:?}: {said}");
        let what = format!("{arguments:?} {fault:?}");
        closed(&proxy, &what).await;
        place.no_task_is_left(&what).await;
    }
}

/// By kubectl's own words, where it is kubectl that notices.
#[test]
fn a_process_through_kubectl_that_is_harmed_ends_with_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config");
    let text = std::fs::read_to_string(kubeconfig()).expect("the kubeconfig");
    let mut dice = Dice::new(SEED);
    for round in 0..12 {
        let proxy = FaultProxy::before(cluster().address());
        let text = text.replace(&cluster().address().to_string(), &proxy.address().to_string());
        std::fs::write(&config, text).expect("write");
        let run =
            through("KubectlRaw", &config, "").arguments(&["-n", NAMESPACE, "-c", "web", POD, "--", "yes"]);
        let mut live = run.live();
        for _ in 0..100 + dice.below(20_000) {
            assert_eq!(live.line(), "y");
        }
        if round % 2 == 0 {
            proxy.cut_all()
        } else {
            proxy.reset_all()
        }
        while !live.line().is_empty() {}
        let (status, _, said) = live.ended_within(Duration::from_secs(30));
        assert_eq!(status.code(), Some(1), "{round}: {said}");
        assert!(said.contains("Error: "), "{round}: {said}");
        eventually("no socket is left", || proxy.open() == 0);
    }
}
