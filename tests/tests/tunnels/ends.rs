//! How a process ends with its script, and a script with its process; and who may look on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use tidegate::api::middleware::{Answer, Asking, Middleware};
use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{Cache, Ending, Engine, Input, Output};
use tidegate_tests::{eventually, guest, program};

use crate::{NAMESPACE, POD, cluster, exec, kubeconfig};

/// Whether a program with this argument runs on this machine, the one that is looked for behind the pod.
fn runs(argument: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        // `yes` itself, and neither tidegate nor a shell with it among its arguments.
        line.strip_prefix(b"yes\0").is_some_and(|rest| rest == [argument.as_bytes(), b"\0"].concat())
    })
}

/// Whose output nobody reads any more, and who is interrupted, ends at once, and so does what it ran.
#[test]
fn a_script_that_ends_takes_its_process_along() {
    for (word, signal, code) in [("nobody-reads", None, 141), ("interrupted", Some(Signal::INT), 130)] {
        let run = exec("KubeConfig").arguments(&["-n", NAMESPACE, "-c", "web", POD, "--", "yes", word]);
        let mut live = run.live();
        assert_eq!(live.line(), word);
        assert!(runs(word));
        match signal {
            None => live.close_stdout(),
            Some(signal) => live.signal(signal),
        }
        let (status, elapsed, stderr) = live.ended_within(Duration::from_secs(20));
        assert_eq!(status.code(), Some(code), "{word}: {stderr}");
        assert!(elapsed < Duration::from_secs(10), "{word}: {elapsed:?}");
        eventually(&format!("{word} has ended"), || !runs(word));
    }
}

/// An embedder's hooks see a tunnel as they see any request, and may refuse it.
#[tokio::test(flavor = "current_thread")]
async fn hooks_see_tunnels_and_may_refuse_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::Folder(folder.path().join("compiled"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (asked, answered) = (heard.clone(), heard.clone());
    let middleware = Middleware::new()
        .on_request("no rm", move |asking: Asking| {
            let request = &asking.request;
            let words: Vec<&str> = request
                .query
                .iter()
                .filter(|(name, _)| name == "command")
                .map(|(_, word)| word.as_str())
                .collect();
            let refused = words.contains(&"rm");
            if request.path.ends_with("/exec") {
                asked.lock().expect("lock").push(format!("{} {} {words:?}", request.method, request.path));
            }
            async move { if refused { Err("this tenant removes nothing".into()) } else { Ok(asking) } }
        })
        .on_response("codes", move |answer: Answer| {
            if answer.asked.path.ends_with("/exec") {
                answered.lock().expect("lock").push(format!("{:?}", answer.code()));
            }
            async move { Ok(answer) }
        });
    let engine = Engine::builder().cache(cache).compiler(program("tidegate-compile"));
    let engine = engine.build().expect("an engine");
    let script = engine.load_file(guest("exec")).await.expect("the example");
    for (command, ending, words) in [
        (&["echo", "hello"][..], Ending::Exited(0), ""),
        (&["rm", "-r", "/nothing"], Ending::Exited(1), "\"no rm\" ended GET"),
    ] {
        let mut grants = Grants::builder();
        grants.allow(Kind::Read, kubeconfig().to_str()).expect("a flag");
        grants.allow(Kind::Net, Some(&cluster().address().to_string())).expect("a flag");
        let mut options = Options::new("tests/1");
        options.transports = vec![Transport::KubeConfig];
        options.kubeconfig.path = Some(kubeconfig());
        let (stderr, said) = Output::capture(1 << 16);
        let run = script.run().grants(grants.build()).options(options).middleware(middleware.clone());
        let run = run.stdin(Input::null()).stdout(Output::null()).stderr(stderr);
        let arguments = [&["-n", NAMESPACE, "-c", "web", POD, "--"][..], command].concat();
        let outcome = run.arguments(arguments).start().await.expect("a run");
        assert_eq!(outcome.ending, ending, "{}", said.text());
        assert!(said.text().contains(words), "{}", said.text());
    }
    let path = format!("GET /api/v1/namespaces/{NAMESPACE}/pods/{POD}/exec");
    assert_eq!(
        *heard.lock().expect("lock"),
        [
            format!("{path} [\"echo\", \"hello\"]"),
            "Some(101)".to_owned(),
            format!("{path} [\"rm\", \"-r\", \"/nothing\"]"),
        ]
    );
}
