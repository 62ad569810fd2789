//! What a guest ends for is what it was told last: not what it handled long before, and not what it was given since.

use tidegate_tests::Run;

use crate::requests::server;

#[test]
fn the_last_counts_and_what_was_given_since_does_not() {
    let (peer, folder) = (server(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("file"), "text").unwrap();
    let (url, file) = (peer.url(), folder.path().to_str().unwrap());
    // Granted to nobody.
    let refused = "clients http://127.0.0.1:1 1";
    let (files, streams) = (format!("files {file} 100"), format!("streams {url} 100"));
    let (a_file, a_stream, a_request) =
        (format!("files {file} 1"), format!("streams {url} 1"), format!("requests {url} 1"));
    let (memory, web) = ("memory 4000".to_owned(), format!("web {} /x 3", peer.address()));
    let rows: [(&str, &[&str], i32); 18] = [
        // What it is given later is what it was refused.
        ("fails-anyway", &[&files, &a_file], 1),
        ("panics-anyway", &[&files, &a_file], 134),
        ("fails-anyway", &[&streams, &a_stream], 1),
        ("panics-anyway", &[&streams, &a_stream], 134),
        ("fails-anyway", &["tcp 100", "udp 1"], 1),
        ("fails-anyway", &[&memory, &a_request], 1),
        ("panics-anyway", &[&memory, &a_request], 134),
        // It is not, or not enough.
        ("fails-anyway", &[&files], 124),
        ("fails-anyway", &[&memory, "memory 1"], 124),
        ("panics-anyway", &[&memory], 124),
        ("fails-anyway", &[&memory, &a_file], 124),
        // The last of two.
        ("fails", &[refused, &files], 124),
        ("fails", &[refused, &memory], 124),
        ("fails", &[refused, &streams], 124),
        ("fails", &[&files, refused], 126),
        ("fails", &[&memory, refused], 126),
        ("fails", &[&web, refused], 126),
        ("handles", &[&files, refused, &memory], 0),
    ];
    for (how, steps, code) in rows {
        let words = steps.join(" then ");
        let run = Run::guest("glutton").flags("--limit-streams=4 --limit-memory=32MiB");
        let run = run.flag(format!("--wasi-read={file}")).flag("--wasi-net");
        let run = run.flag(format!("--allow-net={}", peer.address())).argument(how);
        let outcome = words.split(' ').fold(run, Run::argument).run();
        assert_eq!(outcome.code(), code, "{how} {words}: {outcome:?}");
    }
}
