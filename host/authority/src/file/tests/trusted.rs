//! What must not come from the guest, and what must not reach the programs that are started.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidegate_grants::{Grants, Kind};

use super::{CAP, Tree};
use crate::authority::Authority;
use crate::needs::Needs;

/// A folder that the host alone writes, with links into one that the guest writes.
#[test]
fn what_the_guest_could_have_written_is_not_trusted() {
    let tree = Tree::new(&[("g/own", "own"), ("w/file", "hunter2"), ("w/deep/file", "hunter2")]);
    tree.link("../w/file", "g/link");
    tree.link(tree.path("w/file"), "g/absolute");
    tree.link("../w", "g/folder");
    tree.link("w", "alias");
    let text = |name: &str| tree.path(name).to_str().unwrap().to_owned();
    let grant = |read: Option<&str>, wasi: Option<&str>, write: Option<&str>| {
        let mut builder = Grants::builder();
        builder.allow(Kind::Read, read).unwrap();
        wasi.map(|root| builder.wasi(Kind::Write, Some(root)).map(drop)).transpose().unwrap();
        write.map(|root| builder.allow(Kind::Write, Some(root)).map(drop)).transpose().unwrap();
        let approved = Authority::from_ambient(builder.build()).approve(&Needs::new().read(tree.path("g")));
        approved.unwrap().read(&tree.path("g")).unwrap()
    };
    for root in [text("w"), text("w/file"), text("alias")] {
        for read in [None, Some(text("")), Some(format!("{},{},{}", text("g"), text("w"), text("alias")))] {
            for (wasi, write) in [(Some(root.as_str()), None), (None, Some(root.as_str()))] {
                let grant = grant(read.as_deref(), wasi, write);
                for grant in [grant.clone(), grant.walking()] {
                    assert_eq!(grant.child("own").read_trusted_now(CAP).unwrap(), b"own");
                    for name in ["link", "absolute", "folder/file", "../w/file", "../alias/file"] {
                        assert_eq!(grant.child(name).read_now(CAP).unwrap(), b"hunter2");
                        let error = grant.child(name).read_trusted_now(CAP).unwrap_err();
                        assert!(error.is_guests(), "{root} {name}: {error}");
                        let flag = if wasi.is_some() { "(--wasi-write)" } else { "(--allow-write)" };
                        assert!(error.to_string().contains(flag), "{error}");
                    }
                }
            }
        }
    }
    // Whether there is such a file is the guest's choice too.
    let guests = grant(None, Some(&text("w")), None);
    assert!(guests.child("../w/none").read_trusted_now(CAP).unwrap_err().is_guests());
    assert!(guests.child("none").read_trusted_now(CAP).unwrap_err().is_not_found());
}

/// What a guest has open it reads by itself, under whichever name the host gets there.
#[test]
fn what_the_guest_reads_by_itself_is_no_credential() {
    let tree = Tree::new(&[("g/own", "own"), ("open/file", "hunter2")]);
    tree.link("../open/file", "g/link");
    let builder = || Grants::builder().allow(Kind::Read, None).unwrap().build();
    let authority = Authority::from_ambient(builder()).with_guests_folders(vec![tree.path("open")]);
    let grant = authority.approve(&Needs::new().read(tree.path("g"))).unwrap().read(&tree.path("g")).unwrap();
    for grant in [grant.clone(), grant.walking()] {
        assert_eq!(grant.child("own").read_trusted_now(CAP).unwrap(), b"own");
        for name in ["link", "../open/file"] {
            assert_eq!(grant.child(name).read_now(CAP).unwrap(), b"hunter2");
            let error = grant.child(name).read_trusted_now(CAP).unwrap_err();
            assert!(error.is_guests() && error.to_string().contains("(--wasi-read)"), "{name}: {error}");
        }
    }
}

/// A program that is started while a path is walked must not inherit a folder of it.
#[test]
fn no_handle_is_inherited() {
    let tree = Tree::new(&[("g/a", "")]);
    tree.link("../secret", "g/out");
    let stop = AtomicBool::new(false);
    let mut inherited = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let grant = tree.granted(Some(&["g"]), &[], "g").walking();
            while !stop.load(Ordering::Relaxed) {
                let _ = grant.child("out").read_now(CAP);
                let _ = grant.list_now();
            }
        });
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until {
            for entry in fs::read_dir("/proc/self/fdinfo").unwrap().flatten() {
                let fd = entry.file_name();
                let Ok(info) = fs::read_to_string(entry.path()) else { continue };
                let Ok(target) = fs::read_link(Path::new("/proc/self/fd").join(fd)) else { continue };
                // O_CLOEXEC, as /proc writes it.
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
                let flags = u32::from_str_radix(flags.trim(), 8).unwrap_or_default();
                if target.starts_with(&tree.root) && flags & 0o2000000 == 0 {
                    inherited.push(target);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(inherited.is_empty(), "{inherited:?}");
}
