//! A server that ends and comes back.

use std::process::Stdio;

use tidegate_cluster::{Cluster, Ending, Options, Tools};
use tidegate_tests::REVIEW;

use crate::Place;
use crate::counter::{Counter, Pace};

/// A request that changes something is sent once the server is back, over a connection that died meanwhile, and nobody hears of it.
#[test]
fn a_server_that_comes_back_is_no_error() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let mut cluster = Cluster::start(&tools, Options::api_only()).unwrap();
    let counter = Counter::before(cluster.address(), Pace::Free);
    let place = Place::new(&cluster, counter.address);
    let mut live =
        place.run().reviews(&[REVIEW, REVIEW, "@wait", REVIEW, "@wait", REVIEW]).live_with(Stdio::piped());
    live.line_of("done");
    live.line_of("done");
    for ending in [Ending::Asked, Ending::Killed] {
        live.line_of("waiting");
        let before = counter.connections();
        cluster.restart_api_server(ending).unwrap();
        live.write("\n");
        assert!(live.line_of("item 1").contains("\"username\":\"admin\""), "{ending:?}");
        assert_eq!(counter.connections(), before + 1, "{ending:?}");
    }
}
