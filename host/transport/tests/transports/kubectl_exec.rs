//! Processes through `kubectl exec`, where it or the process does what neither should.

use std::time::Duration;

use tidegate_kube::request::Method;
use tidegate_transport::{Code, Tunnel};
use tokio::time::{sleep, timeout};

use crate::kubectl::Kubectl;
use crate::setup::request;
use crate::tunnel_peer::{PROTOCOLS, all};

const PATH: &str = "/api/v1/namespaces/n/pods/p/exec?command=sh&stdout=true&stderr=true";
const STDERR_OMITTED: &str = "/api/v1/namespaces/n/pods/p/exec?command=sh&stdout=true";

async fn exec(kubectl: &Kubectl, path: &str) -> Tunnel {
    let transport = kubectl.connect().await.expect("connect");
    transport.tunnel(request(Method::Get, path), PROTOCOLS).await.expect("a tunnel")
}

/// The code in the message that ends a process.
fn code(status: &str) -> Option<&str> {
    status.split_once(r#""message":""#)?.1.split_once('"').map(|(code, _)| code)
}

#[tokio::test]
async fn a_line_that_begins_as_kubectls_and_never_ends_is_passed_on() {
    let kubectl = Kubectl::new("printf 'error: ' >&2; exec cat /dev/zero >&2");
    let tunnel = exec(&kubectl, PATH).await;
    let mut read = 0;
    while read < 8 << 20 {
        let piece = timeout(Duration::from_secs(10), tunnel.next()).await.expect("in time");
        let piece = piece.expect("no error").expect("no end");
        assert_eq!(piece.channel, 2);
        read += piece.bytes.len();
    }
}

#[tokio::test]
async fn who_holds_kubectls_pipes_open_is_not_waited_for() {
    let said = "echo out; echo 'command terminated with exit code 3' >&2; exit 3";
    for (name, held) in [("stderr", ">/dev/null"), ("stdout", "2>/dev/null"), ("both", "")] {
        let kubectl = Kubectl::new(&format!("sleep 60 {held} &\n{said}"));
        let (pieces, end) = all(&exec(&kubectl, PATH).await).await;
        end.expect(name);
        assert_eq!(pieces.len(), 2, "{name} {pieces:?}");
        assert_eq!((pieces[0].as_str(), code(&pieces[1])), ("1 out\n", Some("3")), "{name}");
    }
    let kubectl = Kubectl::new("sleep 60 &\necho 'error: no such thing' >&2; exit 1");
    let (pieces, end) = all(&exec(&kubectl, PATH).await).await;
    assert!(pieces.is_empty(), "{pieces:?}");
    let error = end.expect_err("refused");
    assert!(error.to_string().contains("no such thing") && error.code() == Code::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_slow_reader_learns_the_code() {
    let kubectl = Kubectl::new(
        "head -c 300000 /dev/zero >&2; echo 'command terminated with exit code 7' >&2; sleep 60 & exit 7",
    );
    for (path, length) in [(PATH, 300_000), (STDERR_OMITTED, 0)] {
        let tunnel = exec(&kubectl, path).await;
        sleep(Duration::from_secs(1)).await;
        let (pieces, end) = all(&tunnel).await;
        end.expect("an end");
        let (status, said) = pieces.split_last().expect("a status");
        let stderr: String = said.iter().map(|piece| piece.strip_prefix("2 ").expect("stderr")).collect();
        assert_eq!(stderr.len(), length, "{path}");
        assert!(stderr.bytes().all(|byte| byte == 0), "{path}");
        assert_eq!(code(status), Some("7"), "{path}");
    }
}

#[tokio::test]
async fn a_kubectl_that_takes_its_time_to_end_has_told_the_code() {
    let kubectl = Kubectl::new("echo 'command terminated with exit code 4' >&2; sleep 1; exit 4");
    let (pieces, end) = all(&exec(&kubectl, PATH).await).await;
    end.expect("an end");
    assert_eq!(pieces.last().and_then(|status| code(status)), Some("4"), "{pieces:?}");
}
