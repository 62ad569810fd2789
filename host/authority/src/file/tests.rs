//! Reading what is granted, and nothing that links, swaps or devices lead to; by `openat2` and by walking.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_grants::{Grants, Kind};

use crate::authority::Authority;
use crate::file::beneath::{Strayed, Way, open_beneath};
use crate::file::{ReadError, ReadFailure, ReadGrant};
use crate::needs::Needs;

mod trusted;

const CAP: u64 = 1 << 20;

/// A folder of files, by its canonical path.
struct Tree {
    _folder: TempDir,
    root: PathBuf,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let tree = Self { _folder: folder, root };
        for (path, text) in files {
            fs::create_dir_all(tree.path(path).parent().unwrap()).unwrap();
            fs::write(tree.path(path), text).unwrap();
        }
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn link(&self, target: impl AsRef<Path>, path: &str) {
        symlink(target, self.path(path)).unwrap();
    }

    /// Grants by the names in this tree; `None` is the flag alone.
    fn granted(&self, allow: Option<&[&str]>, deny: &[&str], need: &str) -> ReadGrant {
        let list = |names: &[&str]| {
            names
                .iter()
                .map(|name| self.path(name).to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(",")
        };
        let mut builder = Grants::builder();
        builder.allow(Kind::Read, allow.map(list).as_deref()).unwrap();
        if !deny.is_empty() {
            builder.deny(Kind::Read, Some(&list(deny))).unwrap();
        }
        let path = self.path(need);
        let approved = Authority::from_ambient(builder.build()).approve(&Needs::new().read(&path)).unwrap();
        approved.read(&path).unwrap()
    }
}

/// Reads both ways, which must agree.
fn read(grant: &ReadGrant) -> Result<String, ReadError> {
    let kernel = grant.read_now(CAP);
    let walked = grant.walking().read_now(CAP);
    match (&kernel, &walked) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        _ => panic!("openat2 and walk disagree: {kernel:?} {walked:?}"),
    }
    kernel.map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn files_beneath_a_granted_folder_are_read_anew_each_time() {
    let tree = Tree::new(&[("g/a", "one"), ("g/deep/er/b", "two")]);
    let grant = tree.granted(Some(&["g"]), &[], "g");
    assert_eq!(read(&grant.child("a")).unwrap(), "one");
    assert_eq!(read(&grant.child("deep/er/b")).unwrap(), "two");
    fs::write(tree.path("g/a"), "three").unwrap();
    assert_eq!(read(&grant.child("a")).unwrap(), "three");
    assert!(read(&grant.child("none")).unwrap_err().is_not_found());
    assert_eq!(grant.list_now().unwrap(), ["a", "deep"]);
    assert!(grant.exists_now().unwrap() && !grant.child("none").exists_now().unwrap());
    let file = tree.granted(Some(&["g/a"]), &[], "g/a");
    assert_eq!(read(&file).unwrap(), "three");
    assert!(matches!(file.list_now().unwrap_err().failure(), ReadFailure::NotAFolder));
}

#[test]
fn the_kubelets_layout_is_read_and_its_rotation_seen() {
    let tree = Tree::new(&[("sa/..2026_01/token", "old"), ("sa/..2026_01/ca.crt", "ca")]);
    tree.link("..2026_01", "sa/..data");
    tree.link("..data/token", "sa/token");
    tree.link("..data/ca.crt", "sa/ca.crt");
    tree.link(tree.path("sa"), "alias");
    let folder = tree.granted(Some(&["sa"]), &[], "sa").child("token");
    let file = tree.granted(Some(&["sa/token"]), &[], "sa/token");
    let alias = tree.granted(Some(&["alias"]), &[], "alias").child("token");
    let alias_file = tree.granted(Some(&["alias/token"]), &[], "alias/token");
    let before = folder.stamp_now().unwrap();
    for grant in [&folder, &file, &alias, &alias_file] {
        assert_eq!(read(grant).unwrap(), "old");
    }
    fs::create_dir(tree.path("sa/..2026_02")).unwrap();
    fs::write(tree.path("sa/..2026_02/token"), "new").unwrap();
    tree.link("..2026_02", "sa/..data_tmp");
    fs::rename(tree.path("sa/..data_tmp"), tree.path("sa/..data")).unwrap();
    fs::remove_dir_all(tree.path("sa/..2026_01")).unwrap();
    for grant in [&folder, &file, &alias, &alias_file] {
        assert_eq!(read(grant).unwrap(), "new");
    }
    assert_ne!(folder.stamp_now().unwrap(), before);
    assert_eq!(folder.stamp_now().unwrap(), folder.stamp_now().unwrap());
    assert!(file.child("../ca.crt").read_now(CAP).is_err(), "the one file was granted");
}

#[test]
fn links_out_of_a_granted_folder_are_refused_naming_where_they_lead() {
    let tree = Tree::new(&[("g/a", ""), ("secret/key", "hunter2")]);
    tree.link(tree.path("secret/key"), "g/absolute");
    tree.link("../secret/key", "g/relative");
    tree.link("../secret", "g/folder");
    tree.link("absolute", "g/twice");
    let grant = tree.granted(Some(&["g"]), &[], "g");
    let cure = format!("--allow-read={}", tree.path("secret/key").display());
    for name in ["absolute", "relative", "folder/key", "twice"] {
        let error = read(&grant.child(name)).unwrap_err();
        assert!(matches!(error.failure(), ReadFailure::LeadsOut(_)), "{name}: {error}");
        assert_eq!(error.missing().unwrap().flag(), Some(cure.clone()), "{name}: {error}");
        assert!(error.to_string().contains(&cure) && !error.to_string().contains("hunter2"), "{error}");
    }
    // Granted in its own right, the same links may be followed.
    let both = tree.granted(Some(&["g", "secret"]), &[], "g");
    for name in ["absolute", "relative", "folder/key", "twice"] {
        assert_eq!(read(&both.child(name)).unwrap(), "hunter2");
    }
}

#[test]
fn names_that_leave_a_folder_are_judged_as_any_path() {
    let tree = Tree::new(&[("g/a", "a"), ("other", "hunter2")]);
    let grant = tree.granted(Some(&["g"]), &[], "g");
    for name in ["../other", "deep/../../other", tree.path("other").to_str().unwrap()] {
        let error = read(&grant.child(name)).unwrap_err();
        assert!(matches!(error.failure(), ReadFailure::Refused(_)), "{name}: {error}");
    }
    assert_eq!(read(&grant.child("x/../a")).unwrap(), "a");
}

#[test]
fn denied_paths_are_refused_by_their_real_name() {
    let tree = Tree::new(&[("g/open", "open"), ("g/shut/key", "hunter2")]);
    tree.link("shut/key", "g/link");
    tree.link(tree.path("g/shut"), "alias");
    for allow in [Some(&["g"][..]), None] {
        for deny in ["g/shut", "alias", "g/shut/key"] {
            let grant = tree.granted(allow, &[deny], "g");
            assert_eq!(read(&grant.child("open")).unwrap(), "open");
            for name in ["link", "shut/key"] {
                let error = read(&grant.child(name)).unwrap_err();
                let missing = error.missing().unwrap_or_else(|| panic!("{name}: {error}"));
                assert!(missing.denied_by.as_ref().unwrap().starts_with("--deny-read="), "{error}");
            }
        }
    }
}

#[test]
fn everything_but_regular_files_is_refused_without_blocking() {
    let tree = Tree::new(&[("g/a", "")]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.path("g/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.path("g/socket")).unwrap();
    let started = Instant::now();
    let grant = tree.granted(Some(&["g"]), &[], "g");
    for (name, what) in [("fifo", "a FIFO"), ("socket", "a socket"), (".", "a folder")] {
        let error = read(&grant.child(name)).unwrap_err();
        assert!(error.to_string().contains(&format!("is {what}, and only regular files")), "{error}");
    }
    let everything = tree.granted(None, &[], "g");
    for device in ["/dev/null", "/dev/zero"] {
        let error = read(&everything.child(device)).unwrap_err();
        assert!(matches!(error.failure(), ReadFailure::NotAFile("a device")), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn magic_links_of_proc_are_not_followed() {
    let tree = Tree::new(&[("g/a", "hunter2")]);
    let held = fs::File::open(tree.path("g/a")).unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
    let grant = tree.granted(None, &[], "g").child(&link);
    assert!(grant.read_now(CAP).is_err());
    assert!(grant.child("/proc/self/root/etc/hostname").read_now(CAP).is_err());
}

#[test]
fn caps_are_named_and_hold_for_files_that_lie_about_their_size() {
    let tree = Tree::new(&[("g/a", "12345")]);
    let grant = tree.granted(Some(&["g"]), &[], "g").child("a");
    assert_eq!(grant.read_now(5).unwrap(), b"12345");
    assert_eq!(
        grant.read_now(4).unwrap_err().to_string(),
        format!("{:?} is larger than the cap of 4 bytes", grant.path())
    );
    fs::write(tree.path("g/a"), vec![0; (2 << 20) + 1]).unwrap();
    assert!(grant.read_now(2 << 20).unwrap_err().to_string().ends_with("the cap of 2 MiB"));
    // Files of /proc say that they are empty.
    let everything = tree.granted(None, &[], "g").child("/proc/version");
    assert!(matches!(everything.read_now(3).unwrap_err().failure(), ReadFailure::TooLarge { cap: 3 }));
}

#[test]
fn loops_of_links_end() {
    let tree = Tree::new(&[("g/a", "")]);
    tree.link("loop", "g/loop");
    tree.link(tree.path("g/there"), "g/back");
    tree.link(tree.path("g/back"), "g/there");
    let grant = tree.granted(Some(&["g"]), &[], "g");
    for name in ["loop", "back"] {
        assert!(matches!(read(&grant.child(name)).unwrap_err().failure(), ReadFailure::Io(_)), "{name}");
    }
    assert!(
        matches!(read(&grant.child("a/b")).unwrap_err().failure(), ReadFailure::Io(_)),
        "a file is no folder"
    );
}

/// The inner of two walls: the outer one judges the handle's real path, and would hide a hole in this one.
#[test]
fn opening_beneath_never_leaves_by_itself() {
    let tree = Tree::new(&[("g/in/a", ""), ("secret/key", "hunter2")]);
    tree.link(tree.path("secret/key"), "g/absolute");
    tree.link("../secret", "g/relative");
    tree.link("../../secret/key", "g/in/deep");
    tree.link("in/../in/a", "g/inside");
    tree.link(tree.path("g/in/a"), "g/inside_absolute");
    for way in [Way::Kernel, Way::Walk] {
        for (path, led) in [
            ("absolute", "secret/key"),
            ("relative/key", "secret/key"),
            ("relative", "secret"),
            ("in/deep", "secret/key"),
            ("../secret/key", "secret/key"),
            ("in/../../g/in/a", "g/in/a"),
            // Beneath, but by a name from the top: to be judged as the path that it is.
            ("inside_absolute", "g/in/a"),
        ] {
            match open_beneath(&tree.path("g"), Path::new(path), way) {
                Err(Strayed::Outside(target)) => assert_eq!(target, tree.path(led), "{path} {way:?}"),
                Err(Strayed::Failed(error)) => panic!("{path} {way:?}: {error}"),
                Ok(handle) => panic!("{path} {way:?} opened {:?}", handle.real_path()),
            }
        }
        for path in ["inside", "in/a", "in/./a", "in/../in/a"] {
            let handle = open_beneath(&tree.path("g"), Path::new(path), way);
            assert_eq!(
                handle.map(|handle| handle.real_path().unwrap()).unwrap(),
                tree.path("g/in/a"),
                "{path} {way:?}"
            );
        }
    }
}

/// Someone keeps exchanging a file, and a folder on the way to another, for links to a secret: no read may ever see it.
#[test]
fn a_swap_between_check_and_open_wins_nothing() {
    let tree = Tree::new(&[("g/file", "public"), ("g/way/file", "public"), ("secret/file", "hunter2")]);
    tree.link(tree.path("secret/file"), "g/file.evil");
    tree.link("../secret", "g/way.evil");
    let stop = AtomicBool::new(false);
    let (mut read, mut refused) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (one, other) in [("g/file", "g/file.evil"), ("g/way", "g/way.evil")] {
                    let (one, other) = (tree.path(one), tree.path(other));
                    let exchange = rustix::fs::RenameFlags::EXCHANGE;
                    rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, exchange)
                        .unwrap();
                }
            }
        });
        let folder = tree.granted(Some(&["g"]), &[], "g");
        let everything = tree.granted(None, &["secret"], "g");
        let until = Instant::now() + Duration::from_millis(600);
        while Instant::now() < until {
            for grant in [folder.child("file"), folder.child("way/file"), everything.child("way/file")] {
                for grant in [grant.clone(), grant.walking()] {
                    match grant.read_now(CAP) {
                        Ok(bytes) => read.push(bytes),
                        Err(_) => refused += 1,
                    }
                }
            }
        }
        // Nothing is asserted before: a panic here would leave the other thread swapping for ever.
        stop.store(true, Ordering::Relaxed);
    });
    assert!(read.iter().all(|bytes| bytes == b"public"), "a swap won");
    assert!(
        !read.is_empty() && refused > 0,
        "the swaps met the reads: {} read, {refused} refused",
        read.len()
    );
}

#[tokio::test]
async fn reading_apart_says_the_same() {
    let tree = Tree::new(&[("g/a", "text")]);
    let grant = tree.granted(Some(&["g"]), &[], "g").child("a");
    assert_eq!(grant.read(CAP).await.unwrap(), b"text");
    assert_eq!(grant.stamp().await.unwrap(), grant.stamp_now().unwrap());
    assert!(grant.child("../b").read(CAP).await.unwrap_err().is_not_found());
}
