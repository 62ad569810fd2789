//! When a plugin is asked again.

use tidegate_kube::request::Method;

use super::*;
use crate::setup::{request, send};

#[tokio::test]
async fn a_thousand_refused_at_once_ask_once() {
    let stage = Stage::new(believes("token-2")).await;
    stage.plugin(&format!(
        "#!/bin/sh\nprintf x >>$T/runs\nn=$(wc -c <$T/runs)\n[ $n = 1 ] || sleep 0.5\necho '{}' | sed s/N/$n/\n",
        answer(r#"{"token":"token-N"}"#)
    ));
    stage.kubeconfig("args: []");
    // The probe is answered with 401 and asks once more: so the storm begins with a token that was good.
    let transport = stage.connect().await.expect("connect");
    assert_eq!(stage.runs(), 2);

    let stage = Stage::new(|seen: &Seen| match seen.header("authorization") {
        Some("Bearer token-1") if seen.line().contains("/storm") => {
            reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#)
        }
        _ => kubernetes(|_| json("{}"))(seen),
    })
    .await;
    drop(transport);
    stage.plugin(&format!(
        "#!/bin/sh\nprintf x >>$T/runs\nn=$(wc -c <$T/runs)\n[ $n = 1 ] || sleep 0.5\necho '{}' | sed s/N/$n/\n",
        answer(r#"{"token":"token-N"}"#)
    ));
    stage.kubeconfig("args: []");
    let transport = stage.connect().await.expect("connect");
    let storm = (0..1000).map(|_| {
        let transport = transport.clone();
        // A thousand handshakes take a busy machine a while.
        let mut storm = request(Method::Get, "/storm");
        storm.deadline = Duration::from_secs(60);
        tokio::spawn(async move { send(&transport, storm).await.map(drop) })
    });
    for request in storm.collect::<Vec<_>>() {
        request.await.expect("task").expect("the second try");
    }
    assert_eq!(stage.runs(), 2);
}

#[tokio::test]
async fn a_server_that_goes_on_refusing_is_told_so() {
    let stage = Stage::new(believes("never")).await;
    stage.plugin(&format!("#!/bin/sh\nprintf x >>$T/runs\necho '{}'\n", answer(r#"{"token":"hunter2"}"#)));
    stage.kubeconfig("args: []");
    let error = stage.connect().await.expect_err("refused");
    assert_eq!((error.code(), stage.runs()), (Code::Unauthorized, 2), "{error:?}");
    // The same token again is no reason to send the request again.
    assert_eq!(stage.peer.seen().len(), 1);
}

#[tokio::test]
async fn a_credential_that_ends_is_replaced_before_the_next_request() {
    let stage = Stage::new(kubernetes(|_| json("{}"))).await;
    stage.plugin(
        "#!/usr/bin/env python3\nimport json, datetime\nopen('$T/runs', 'a').write('x')\n\
         n = len(open('$T/runs').read())\n\
         end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)\n\
         print(json.dumps({'kind': 'ExecCredential', 'apiVersion': 'client.authentication.k8s.io/v1',\n\
         \x20 'status': {'token': f'token-{n}', 'expirationTimestamp': end.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}}, indent=2))\n",
    );
    stage.kubeconfig("args: []");
    let transport = stage.connect().await.expect("connect");
    get(&transport, "/x").await.expect("get");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    get(&transport, "/x").await.expect("get");
    let last = |seen: &Seen| seen.header("authorization").map(str::to_owned);
    let tokens: Vec<_> = stage.peer.seen().iter().filter_map(last).collect();
    assert_eq!(tokens.first().map(String::as_str), Some("Bearer token-1"));
    assert_eq!(tokens.last().map(String::as_str), Some("Bearer token-2"), "{tokens:?}");
    assert!(transport.credentials()[0].expires.is_some());
}

#[tokio::test]
async fn a_client_certificate_of_a_plugin_is_swapped_with_its_connections() {
    let stage = Stage::new(kubernetes(|_| json("{}"))).await;
    let clients = pki::Authority::new("clients");
    let pairs = [clients.issue(&["one"]), clients.issue(&["two"])];
    for (number, pair) in (1..).zip(&pairs) {
        let status = format!(
            "{{\"clientCertificateData\":{:?},\"clientKeyData\":{:?}}}",
            pair.certificate.pem(),
            pair.key.serialize_pem()
        );
        write(&stage.path(&format!("answer-{number}")), &answer(&status));
    }
    let mismatched = format!(
        "{{\"clientCertificateData\":{:?},\"clientKeyData\":{:?}}}",
        pairs[0].certificate.pem(),
        pairs[1].key.serialize_pem()
    );
    write(&stage.path("answer-9"), &answer(&mismatched));
    stage.plugin("#!/bin/sh\nn=$(cat $T/which)\ncat $T/answer-$n\ncat $T/answer-$n >&2\n");
    write(&stage.path("which"), "1");
    stage.kubeconfig("args: []");
    let transport = stage.connect().await.expect("connect");
    get(&transport, "/x").await.expect("get");
    assert_eq!(stage.peer.connections(), 1);
    let shown = stage.peer.seen().last().and_then(|seen| seen.client.clone());
    assert_eq!(shown.as_deref(), Some(pairs[0].certificate.der().as_ref()));
    let key = pairs[0].key.serialize_pem();
    let secret = key.lines().nth(1).expect("line");
    assert!(!stage.heard.lines().iter().any(|line| line.contains(secret)), "{:?}", stage.heard.lines());

    write(&stage.path("which"), "9");
    let error = stage.connect().await.expect_err("mismatch");
    assert_eq!(error.code(), Code::Tls);
    assert!(error.report().contains("does not belong to the certificate"), "{error:?}");
}

/// Whoever has to press a key for a token has more time than a server has to answer, also where the server wants another token.
#[tokio::test]
async fn a_plugin_that_runs_again_during_the_probe_has_its_own_deadline() {
    let mut stage = Stage::new(believes("fresh")).await;
    stage.options.probe_deadline = Duration::from_millis(1_500);
    stage.plugin(&format!(
        "#!/bin/sh\n[ -e $T/asked ] && sleep 3 && token=fresh || token=stale\ntouch $T/asked\n\
         sed s/TOKEN/$token/ <<'E'\n{}\nE\n",
        answer(r#"{"token":"TOKEN"}"#)
    ));
    stage.kubeconfig("");
    let begun = Instant::now();
    let transport = stage.connect().await.expect("connect");
    assert!(begun.elapsed() > Duration::from_secs(3), "it ran twice");
    get(&transport, "/x").await.expect("get");
    // The server's own time is as short as before.
    let silent = Stage::new(|_| vec![Act::Stall]).await;
    let silent = Stage { options: stage.options.clone(), ..silent };
    silent.plugin(&format!("#!/bin/sh\ncat <<'E'\n{}\nE\n", answer(r#"{"token":"fresh"}"#)));
    silent.kubeconfig("");
    let begun = Instant::now();
    let error = silent.connect().await.expect_err("silent");
    assert_eq!(error.code(), Code::Timeout, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
