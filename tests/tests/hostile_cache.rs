//! A cache of compiled code that somebody else could have written: nothing in it is believed, the script is compiled anew and runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidegate_tests::{Outcome, Run};

/// Somebody else.
const NOBODY: u32 = 65534;

struct Cache {
    folder: TempDir,
}

impl Cache {
    /// With an entry for `spin`, that a second run used.
    fn warm() -> Cache {
        let cache = Cache { folder: tempfile::tempdir().unwrap() };
        assert!(compiled(&cache.run()), "there was nothing to use");
        assert!(!compiled(&cache.run()), "the entry was not used");
        cache
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("compiled")
    }

    fn entry(&self) -> PathBuf {
        let entries: Vec<PathBuf> =
            fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }

    /// The script does the same whatever the cache is like.
    #[track_caller]
    fn run(&self) -> Outcome {
        let run = Run::guest("spin").flag_path("--cache", &self.path()).arguments(&["exit", "7"]);
        run.run().expect_code(7)
    }

    /// Compiled anew, with a warning, and from then on cached again.
    #[track_caller]
    fn recovers(&self, what: &str, warning: &str) {
        let outcome = self.run();
        assert!(compiled(&outcome), "{what} was believed: {outcome:?}");
        assert!(outcome.stderr.contains(warning), "{what}: {outcome:?}");
        let again = self.run();
        assert!(!compiled(&again), "{what} was not replaced: {again:?}");
        let mode = fs::symlink_metadata(self.entry()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{what}");
    }

    /// Compiled anew each time, with a warning, and nothing is written there.
    #[track_caller]
    fn is_shunned(&self, what: &str, warning: &str) {
        for _ in 0..2 {
            let outcome = self.run();
            assert!(compiled(&outcome), "{what} was believed: {outcome:?}");
            assert!(outcome.stderr.contains(warning), "{what}: {outcome:?}");
        }
    }
}

fn compiled(outcome: &Outcome) -> bool {
    outcome.stderr.contains("Compiled spin")
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_cache_is_for_its_owner_alone() {
    let cache = Cache::warm();
    for (path, expected) in [(cache.path(), 0o700), (cache.entry(), 0o600)] {
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            expected,
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_damaged_entry_is_compiled_anew() {
    let cache = Cache::warm();
    let good = fs::read(cache.entry()).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x80;
        bytes
    };
    let code = good.windows(4).position(|window| window == b"\x7fELF").unwrap();
    let rows = [
        ("its fingerprint", flipped(20)),
        ("its digest", flipped(code - 1)),
        ("the first byte of its code", flipped(code)),
        ("the middle of its code", flipped(code + (good.len() - code) / 2)),
        ("its last byte", flipped(good.len() - 1)),
        ("a byte too few", good[..good.len() - 1].to_vec()),
        ("bare machine code", good[code..].to_vec()),
        ("nothing", Vec::new()),
    ];
    for (what, bytes) in rows {
        fs::write(cache.entry(), bytes).unwrap();
        cache.recovers(what, "damaged");
    }
}

#[test]
fn an_entry_that_others_own_or_write_is_compiled_anew() {
    let cache = Cache::warm();
    let good = fs::read(cache.entry()).unwrap();
    chown(cache.entry(), Some(NOBODY), None).expect("these tests run as root");
    cache.recovers("another user's", "is not private");
    for bits in [0o620, 0o602] {
        mode(&cache.entry(), bits);
        cache.recovers(&format!("mode {bits:o}"), "is not private");
    }
    let entry = cache.entry();
    let elsewhere = cache.folder.path().join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    fs::remove_file(&entry).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    cache.recovers("a link", "a link");
    assert!(fs::symlink_metadata(&entry).unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), good, "what a link led to was written");

    fs::remove_file(&entry).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &entry, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    cache.recovers("a pipe", "not a regular file");
}

#[test]
fn a_folder_that_others_own_or_write_is_not_used() {
    let cache = Cache::warm();
    let folder = cache.path();
    for bits in [0o770, 0o1777] {
        mode(&folder, bits);
        cache.is_shunned(&format!("mode {bits:o}"), "is not private");
    }
    mode(&folder, 0o700);
    assert!(!compiled(&cache.run()));
    chown(&folder, Some(NOBODY), None).expect("these tests run as root");
    cache.is_shunned("another user's", "is not private");
    chown(&folder, Some(0), None).unwrap();

    let elsewhere = cache.folder.path().join("elsewhere");
    fs::rename(&folder, &elsewhere).unwrap();
    symlink(&elsewhere, &folder).unwrap();
    cache.is_shunned("a link", "a link");
    fs::remove_file(&folder).unwrap();
    fs::write(&folder, "a file").unwrap();
    cache.is_shunned("a file", "there is no cache");
}

/// Another script's entry under this script's name does not make this script that one.
#[test]
fn an_entry_of_another_script_is_not_taken_from_another_user() {
    let cache = Cache::warm();
    let other = tempfile::tempdir().unwrap();
    let run = Run::guest("probe-wasi").flag_path("--cache", other.path());
    fs::set_permissions(other.path(), Permissions::from_mode(0o700)).unwrap();
    run.run();
    let foreign = fs::read_dir(other.path()).unwrap().next().unwrap().unwrap().path();
    let entry = cache.entry();
    fs::copy(foreign, &entry).unwrap();
    chown(&entry, Some(NOBODY), None).expect("these tests run as root");
    cache.recovers("another script's, from another user", "is not private");
}

#[test]
fn without_a_cache_nothing_is_kept() {
    let cache = Cache::warm();
    let before = fs::read_dir(cache.path()).unwrap().count();
    let run = || {
        Run::guest("spin")
            .flag("--no-cache")
            .variable("XDG_CACHE_HOME", cache.folder.path())
            .arguments(&["exit", "0"])
    };
    assert!(compiled(&run().run().expect_code(0)) && compiled(&run().run().expect_code(0)));
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), before);
    assert_eq!(fs::read_dir(cache.folder.path()).unwrap().count(), 1);
}
