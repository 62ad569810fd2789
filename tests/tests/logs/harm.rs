//! Logs whose connections a proxy harms: what is read once ends with a typed error, what is followed goes on, and nothing stays.

use std::time::{Duration, Instant, SystemTime};

use futures_util::future::{LocalBoxFuture, join_all};
use tidegate::{Ending, Input, Script};
use tidegate_cluster::ContainerLog;
use tidegate_tests::{Dice, Fault, FaultProxy, Toward};
use tokio::time::{sleep, timeout};

use crate::harmed::{Place, closed};
use crate::{behind, cluster, container, log};

/// How much there is to read, in bytes, and a little more.
const VOLUME: usize = 2_000_000;

/// A pod with that much in its log.
fn pod(namespace: &str) -> ContainerLog {
    let app = log(cluster(), namespace, 0);
    let lines: Vec<String> =
        (0..VOLUME / 100).map(|number| format!("{number:>8} {}", "x".repeat(91))).collect();
    let now = SystemTime::now();
    app.lines(lines.iter().map(|line| (now, line.as_str()))).expect("write");
    cluster().run_pod(namespace, "web", &["app"], &behind([container("app", &app, None)])).expect("a pod");
    app
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_is_harmed_ends_with_an_error_and_leaves_nothing() {
    pod("harmed");
    let place = Place::new(cluster());
    let tail = place.script("tail-logs").await;
    let mut dice = Dice::new(14);
    for round in 0..24 {
        let at = 8_000 + dice.below(VOLUME as u64 - 100_000);
        let fault = match round % 3 {
            0 => Fault::Cut(Toward::Client, at),
            1 => Fault::Reset(Toward::Client, at),
            _ => Fault::Corrupt(Toward::Client, at),
        };
        let proxy = FaultProxy::with(cluster().address(), move |_| vec![fault]);
        let running = place.run(&tail, &proxy, &["-n", "harmed", "web"], Input::null());
        let outcome = timeout(Duration::from_secs(60), running.end).await.expect("an end in time");
        let (said, came) = (running.stderr.text(), running.stdout.bytes());
        assert_eq!(outcome.ending, Ending::Exited(1), "{fault:?}: {said}");
        assert!(came.len() < VOLUME, "{fault:?}: {}", came.len());
        // Whole lines, and none but those that there are.
        let text = String::from_utf8(came).expect("text");
        let fits = |(number, line): (usize, &str)| line.starts_with(&format!("{number:>8} x"));
        assert!(text.lines().enumerate().all(fits), "{fault:?}");
        let typed = ["cut short", "broke off", "TLS", "closed the connection", "reset"];
        assert!(typed.iter().any(|words| said.contains(words)), "{fault:?}: {said}");
        closed(&proxy, &format!("{fault:?}")).await;
        place.no_task_is_left(&format!("{fault:?}")).await;
    }
}

/// All at once, since each takes as long as silence may last.
#[tokio::test(flavor = "current_thread")]
async fn a_log_that_stalls_is_noticed_and_leaves_nothing() {
    pod("stalled");
    let place = Place::new(cluster());
    let tail = place.script("tail-logs").await;
    let mut all: Vec<LocalBoxFuture<'_, ()>> = vec![Box::pin(once(&place, &tail))];
    for toward in [Toward::Client, Toward::Server] {
        all.push(Box::pin(followed(&place, &tail, toward)));
    }
    join_all(all).await;
    place.no_task_is_left("all of them").await;
}

/// What is read once has an end, and this is none.
async fn once(place: &Place, tail: &Script) {
    let proxy = FaultProxy::with(cluster().address(), |_| vec![Fault::Stall(Toward::Client, 300_000)]);
    let begun = Instant::now();
    let running = place.run(tail, &proxy, &["-n", "stalled", "web"], Input::null());
    let outcome = timeout(Duration::from_secs(120), running.end).await.expect("an end in time");
    let said = running.stderr.text();
    assert_eq!(outcome.ending, Ending::Exited(1), "{said}");
    assert!(
        said.contains("the server has not said anything for 45 s, not even in answer to a ping"),
        "{said}"
    );
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    closed(&proxy, "read once").await;
}

/// What is followed goes on over another connection, and no line is lost or comes twice.
async fn followed(place: &Place, tail: &Script, toward: Toward) {
    let namespace = format!("stalled-{toward:?}").to_lowercase();
    let app = log(cluster(), &namespace, 3);
    cluster().run_pod(&namespace, "web", &["app"], &behind([container("app", &app, None)])).expect("a pod");
    let proxy = FaultProxy::before(cluster().address());
    let words = ["-n", &namespace, "web", "-f", "--lines", "8"];
    let running = place.run(tail, &proxy, &words, Input::null());
    let (begun, resumed) = (running.says(&format!("{namespace} 2")), running.says("in the stall\n"));
    let harm = async {
        begun.await;
        proxy.stall_all(toward);
        let connections = proxy.connections();
        app.line("in the stall").expect("write");
        // Only another connection brings it, or shows that the one at hand is none any more.
        let patience = Instant::now();
        while proxy.connections() == connections {
            assert!(patience.elapsed() < Duration::from_secs(90), "{toward:?}: nobody noticed");
            sleep(Duration::from_millis(50)).await;
        }
        resumed.await;
        for number in 0..4 {
            app.line(&format!("after it {number}")).expect("write");
        }
    };
    let (outcome, ()) =
        futures_util::future::join(timeout(Duration::from_secs(180), running.end), harm).await;
    let said = running.stderr.text();
    assert_eq!(outcome.expect("an end in time").ending, Ending::Exited(0), "{toward:?}: {said}");
    let mut expected: Vec<String> = (0..3).map(|number| format!("{namespace} {number}")).collect();
    expected.push("in the stall".to_owned());
    expected.extend((0..4).map(|number| format!("after it {number}")));
    assert_eq!(running.stdout.text().lines().collect::<Vec<_>>(), expected, "{toward:?}: {said}");
    closed(&proxy, "followed").await;
}
