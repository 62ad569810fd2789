//! Files by `--wasi-read` and `--wasi-write`.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{expect_got, probe};

/// Folders and files that nothing protects.
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    pub(crate) fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        for name in ["granted/sub", "outside"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["granted/file", "granted/sub/file", "outside/file"] {
            std::fs::write(folder.path().join(name), "text").unwrap();
        }
        symlink(folder.path().join("outside"), folder.path().join("granted/absolute")).unwrap();
        symlink("../outside", folder.path().join("granted/relative")).unwrap();
        Files { folder }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn attempt(&self, what: &str, name: &str) -> String {
        format!("{what}:{}", self.at(name).display())
    }
}

#[test]
fn files_are_those_of_the_folder_that_is_named() {
    let files = Files::new();
    let attempts = [
        files.attempt("read", "granted/file"),
        files.attempt("read", "granted/sub/file"),
        files.attempt("list", "granted"),
        files.attempt("read", "granted/../outside/file"),
        files.attempt("read", "granted/absolute/file"),
        files.attempt("read", "granted/relative/file"),
        files.attempt("read", "outside/file"),
        files.attempt("write", "granted/new"),
        files.attempt("write", "granted/file"),
        "list:/".to_owned(),
        "read:/etc/passwd".to_owned(),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    let run = |flag: &str| probe().flag_path(flag, &files.at("granted")).arguments(&attempts);
    expect_got(&run("--wasi-read").run(), &attempts[..3]);
    assert_eq!(std::fs::read(files.at("granted/file")).unwrap(), b"text");
    let got = [&attempts[..3], &attempts[7..9]].concat();
    expect_got(&run("--wasi-write").run(), &got);
    assert_eq!(std::fs::read(files.at("granted/new")).unwrap(), b"probe");
}

#[test]
fn a_folder_with_something_denied_in_it_or_above_it_is_refused() {
    let files = Files::new();
    for (flag, denied) in [
        ("--deny-read", "granted/sub"),
        ("--deny-read", "granted/sub/file"),
        ("--deny-read", "granted"),
        ("--deny-read", ""),
        ("--deny-read", "granted/nothing-yet"),
    ] {
        for wasi in ["--wasi-read", "--wasi-write"] {
            let run = probe().flag_path(wasi, &files.at("granted")).flag_path(flag, &files.at(denied));
            let outcome = run.argument(files.attempt("read", "granted/file")).run();
            expect_got(&outcome, &[]);
            assert!(outcome.stderr.contains(&format!("warning: {wasi} of")), "{flag}={denied}: {outcome:?}");
        }
    }
    let run = probe()
        .flag_path("--wasi-write", &files.at("granted"))
        .flag_path("--deny-write", &files.at("granted/sub"));
    let outcome = run.argument(files.attempt("write", "granted/sub/file")).run();
    expect_got(&outcome, &[]);
    assert!(outcome.stderr.contains("warning: --wasi-write of"), "{outcome:?}");
    let elsewhere =
        probe().flag_path("--wasi-read", &files.at("granted")).flag_path("--deny-read", &files.at("outside"));
    let attempt = files.attempt("read", "granted/file");
    expect_got(&elsewhere.argument(&attempt).run(), &[&attempt]);
}
