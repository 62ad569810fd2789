//! Hooks of an embedder's around what a guest asks.

use std::sync::{Arc, Mutex};

use tidegate::api::middleware::{Answer, Asking, Middleware};
use tidegate::grants::{Grants, Kind};
use tidegate::transport::Options;
use tidegate_tests::{Server, Target, guest};

/// A guest's requests pass the hooks of whoever embeds it, in order; one that a hook ends never reaches the server.
#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_around_a_guests_connections() {
    let server = Server::of(Target::Playground);
    let kubeconfig = server.kubeconfig.to_str().unwrap();
    let program = tidegate_tests::program("tidegate-compile");
    let engine = tidegate::Engine::builder().compiler(program).build().unwrap();
    let script = engine.load_file(guest("apply-configmap")).await.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    for (allowed, expected) in [(true, tidegate::Ending::Exited(0)), (false, tidegate::Ending::Exited(1))] {
        let (first, last) = (heard.clone(), heard.clone());
        let middleware = Middleware::new()
            .on_request("look", move |asking: Asking| {
                first.lock().unwrap().push(format!("asked {}", asking.request.method));
                async move { Ok(asking) }
            })
            .on_request("no patches", move |asking: Asking| async move {
                match asking.request.method.as_str() {
                    "PATCH" if !allowed => Err("not in this house".into()),
                    _ => Ok(asking),
                }
            })
            .on_response("look", move |answer: Answer| {
                last.lock().unwrap().push(format!("answered {:?}", answer.code()));
                async move { Ok(answer) }
            });
        let mut options = Options::new("hooks-test/1");
        options.kubeconfig.path = Some(kubeconfig.into());
        options.transports = vec![tidegate::transport::Kind::KubeConfig];
        let grants = Grants::builder()
            .allow(Kind::Read, Some(kubeconfig))
            .unwrap()
            .allow(Kind::Net, Some(&server.address))
            .unwrap()
            .build();
        let (output, captured) = tidegate::Output::capture(1 << 20);
        let outcome = script
            .run()
            .grants(grants)
            .options(options)
            .arguments(["hooked"])
            .middleware(middleware)
            .stderr(output)
            .start()
            .await
            .unwrap();
        let text = captured.text();
        assert_eq!(outcome.ending, expected, "{text}");
        let said = "the request hook \"no patches\" ended PATCH";
        assert_eq!(text.contains(said), !allowed, "{text}");
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        assert_eq!(heard.first().map(String::as_str), Some("asked PATCH"), "{heard:?}");
        assert_eq!(heard.iter().any(|line| line.starts_with("answered Some(20")), allowed, "{heard:?}");
    }
}
