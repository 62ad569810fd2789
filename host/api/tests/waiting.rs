//! More containers than may wait for their turn.

mod peer;

use peer::{Says, Table};
use tidegate_api::logs::{Containers, LogOptions, LogStream, MAX_WAITING, PartEvent, Pods};
use tidegate_transport::Code;

/// Pods with so many containers together, ten each and the rest.
fn pods(containers: usize) -> Says {
    let pod = |number: usize| {
        let names: Vec<String> = (10 * number..containers.min(10 * number + 10))
            .map(|one| format!(r#"{{"name":"c{one}"}}"#))
            .collect();
        let meta = format!(r#"{{"name":"p{number}","namespace":"shop","uid":"u{number}"}}"#);
        format!(r#"{{"metadata":{meta},"spec":{{"containers":[{}]}}}}"#, names.join(","))
    };
    let items: Vec<String> = (0..containers.div_ceil(10)).map(pod).collect();
    let list = format!(r#"{{"metadata":{{"resourceVersion":"7"}},"items":[{}]}}"#, items.join(","));
    Says::Text("application/json", list)
}

#[tokio::test]
async fn no_more_containers_wait_than_may() {
    // One is read, and does not wait.
    for (containers, fits) in [(MAX_WAITING + 1, true), (MAX_WAITING + 2, false)] {
        for follow in [true, false] {
            let table = Table::new([("/api/v1/namespaces/shop/pods", pods(containers))]);
            let options =
                LogOptions { containers: Containers::All, follow, at_once: Some(1), ..LogOptions::default() };
            let all = Pods::Selected { labels: String::new(), fields: String::new() };
            match LogStream::open(table.dynamic(), Some("shop"), all, options).await {
                Ok(mut stream) => {
                    assert!(fits, "{containers}, {follow}");
                    if follow {
                        let part = stream.next().await.unwrap().unwrap();
                        assert!(matches!(part.event, PartEvent::Queued(_)), "{part:?}");
                    }
                }
                Err(error) => {
                    assert!(!fits, "{containers}, {follow}: {error}");
                    assert_eq!(error.code(), Code::TooLarge);
                    assert_eq!(
                        error.to_string(),
                        "65536 containers wait their turn, which is the cap: select fewer"
                    );
                }
            }
        }
    }
}
