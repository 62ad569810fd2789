//! Tunnels that a proxy harms at a random byte: a typed error, and nothing that stays.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{Cache, Ending, Engine, Input, Output};
use tidegate_tests::{Dice, Fault, FaultProxy, Toward, guest, program};

use crate::{NAMESPACE, POD, cluster, kubeconfig};

/// How many bytes a whole run carries each way, at least.
const VOLUME: u64 = 400_000;

/// Which bytes are hit; the same ones each time.
const SEED: u64 = 11;

#[tokio::test(flavor = "current_thread")]
async fn a_tunnel_that_is_harmed_ends_with_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server: SocketAddr = cluster().address();
    let engine = Engine::builder()
        .cache(Cache::Folder(folder.path().join("compiled")))
        .compiler(program("tidegate-compile"));
    let engine = engine.build().expect("an engine");
    let script = engine.load_file(guest("exec")).await.expect("the example");
    let mut dice = Dice::new(SEED);
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for round in 0..24 {
        // Behind what a handshake and the upgrade take, so that the tunnel itself is hit; and a few before.
        let at = if round % 6 == 0 { dice.below(6_000) } else { 8_000 + dice.below(VOLUME - 20_000) };
        let toward = if dice.below(2) == 0 { Toward::Client } else { Toward::Server };
        let fault = match round % 3 {
            0 => Fault::Cut(toward, at),
            1 => Fault::Reset(toward, at),
            _ => Fault::Corrupt(toward, at),
        };
        // The first connection asks `GET /api`; the second is the tunnel's, and its harm is what counts.
        let proxy =
            FaultProxy::with(
                server,
                move |number| if number == 0 && round % 6 != 0 { Vec::new() } else { vec![fault] },
            );
        let config = folder.path().join(format!("config-{round}"));
        let text = std::fs::read_to_string(kubeconfig()).expect("the kubeconfig");
        std::fs::write(&config, text.replace(&server.to_string(), &proxy.address().to_string()))
            .expect("write");
        let mut grants = Grants::builder();
        grants.allow(Kind::Read, config.to_str()).expect("a flag");
        grants.allow(Kind::Net, Some(&proxy.address().to_string())).expect("a flag");
        let mut options = Options::new("tests/1");
        options.transports = vec![Transport::KubeConfig];
        options.kubeconfig.path = Some(config);
        let (stdout, written) = Output::capture(1 << 20);
        let (stderr, said) = Output::capture(1 << 16);
        let run = script
            .run()
            .grants(grants.build())
            .options(options)
            .stdin(Input::bytes(vec![b'x'; usize::try_from(VOLUME).expect("small")]))
            .stdout(stdout)
            .stderr(stderr);
        let arguments = ["-n", NAMESPACE, "-i", "-c", "web", POD, "--", "cat"];
        let outcome = tokio::time::timeout(Duration::from_secs(60), run.arguments(arguments).start());
        let outcome = outcome.await.expect("an end in time").expect("a run");
        let said = said.text();
        assert_eq!(outcome.ending, Ending::Exited(1), "{fault:?}: {said}");
        assert!(written.text().len() < usize::try_from(VOLUME).expect("small"), "{fault:?}");
        let typed = [
            "the tunnel was cut after",
            "TLS",
            "the handshake",
            "closed the connection",
            "cannot be reached",
            "no Kubernetes client",
        ];
        assert!(typed.iter().any(|words| said.contains(words)), "{fault:?}: {said}");
        let patience = Instant::now();
        while proxy.open() > 0 || tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
            assert!(patience.elapsed() < Duration::from_secs(10), "{fault:?}: {} sockets", proxy.open());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
