//! Kubeconfigs that are large, honestly or not.

use std::path::Path;
use std::time::{Duration, Instant};

use tidegate_kube::kubeconfig::{Config, MAX_BYTES, parse};

fn read(text: impl AsRef<[u8]>) -> Result<Config, String> {
    parse(text.as_ref(), Path::new("/k/config")).map(|d| d.into_config()).map_err(|error| error.to_string())
}

/// Runs a reader and fails where it takes long: a bomb must end, not merely be refused.
#[expect(clippy::disallowed_methods, reason = "a test may look at the clock; the crate may not")]
fn quickly<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let out = run();
    // Generous: tests run unoptimised on busy machines. Unbounded, these would run for years.
    assert!(begin.elapsed() < Duration::from_secs(60), "{what} took {:?}", begin.elapsed());
    out
}

#[test]
fn bombs_end() {
    let laughs: String =
        (1..60).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","))).collect();
    let long = "x".repeat(1 << 20);
    let nested: String = (1..5000).map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1)).collect();
    for (what, text, error) in [
        ("a billion laughs", format!("a0: &a0 lol\n{laughs}"), "nodes once its aliases are put in"),
        (
            "long text",
            format!("a: &a {long}\nb: [{}]", vec!["*a"; 200].join(",")),
            "copy more than the cap of",
        ),
        ("nested aliases", format!("a0: &a0 x\n{nested}"), "nested deeper than the cap of"),
        ("brackets", "[".repeat(100_000), "it is not YAML"),
        ("braces", "{a: ".repeat(100_000), "it is not YAML"),
        ("dashes", "- ".repeat(100_000), "it is not YAML"),
        (
            "nested anchors",
            format!(
                "{}x{}",
                (0..190).map(|i| format!("&a{i} [")).collect::<String>() + &long,
                "]".repeat(190)
            ),
            "copy more",
        ),
        (
            "merges",
            format!(
                "a0: &a0 {{k: v}}\n{}",
                (1..60)
                    .map(|i| format!(
                        "a{i}: &a{i} {{<<: [{}], k{i}: v}}\n",
                        vec![format!("*a{}", i - 1); 9].join(",")
                    ))
                    .collect::<String>()
            ),
            "cap of",
        ),
        ("a long file", " ".repeat(MAX_BYTES + 1), "it is longer than the cap of"),
    ] {
        let error_text = quickly(what, || read(&text)).expect_err(what);
        // The parser's own cap on nesting may come first.
        assert!(error_text.contains(error) || error_text.contains("nested deeper"), "{what}: {error_text}");
    }
}

#[test]
fn ten_megabytes_are_ordinary() {
    let certificate = "QUJD".repeat(350);
    let entry = |i: usize| {
        format!(
            "- cluster:\n    certificate-authority-data: {certificate}\n    server: https://cluster-{i}.example.com:6443\n  name: cluster-{i}\n"
        )
    };
    let mut text = String::from("apiVersion: v1\nkind: Config\nclusters:\n");
    let mut count = 0;
    while text.len() < 10 << 20 {
        text.push_str(&entry(count));
        count += 1;
    }
    assert_eq!(quickly("10 MB", || read(&text)).expect("10 MB").clusters().len(), count);
    let small: String = (0..120_000)
        .map(|i| format!("- {{name: c{i}, context: {{cluster: c{i}, user: u{i}, namespace: ns}}}}\n"))
        .collect();
    assert_eq!(
        quickly("small entries", || read(format!("contexts:\n{small}"))).expect("entries").contexts().len(),
        120_000
    );
}
