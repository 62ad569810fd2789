//! What tidegate does for itself.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use tidegate_authority::{CacheError, CacheFolder, HostAuthority, ListenError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_cache_is_made_private_and_gives_back_what_it_got() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/tidegate");
    let cache = HostAuthority::from_ambient().cache(&path).unwrap();
    assert_eq!((cache.path(), mode(&path)), (path.as_path(), 0o700));
    assert!(cache.entry("entry").unwrap().is_none());
    cache.write("entry", b"one").unwrap();
    cache.write("entry", b"two").unwrap();
    assert_eq!(content(&cache, "entry"), b"two");
    assert_eq!(mode(&path.join("entry")), 0o600);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "no temporary file is left");
    cache.remove("entry").unwrap();
    cache.remove("entry").unwrap();
    assert!(cache.entry("entry").unwrap().is_none());
}

fn content(cache: &CacheFolder, name: &str) -> Vec<u8> {
    cache.entry(name).unwrap().unwrap().seal(&mut |_| ()).unwrap().bytes().unwrap()
}

#[test]
fn what_was_read_can_be_changed_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let cache = HostAuthority::from_ambient().cache(folder.path()).unwrap();
    let long: Vec<u8> = (0..300_000_u32).map(|index| index as u8).collect();
    cache.write("entry", &[b"head", &long[..]].concat()).unwrap();
    let mut entry = cache.entry("entry").unwrap().unwrap();
    assert_eq!(entry.head(4).unwrap(), b"head");
    let mut seen = Vec::new();
    let sealed = entry.seal(&mut |piece| seen.extend_from_slice(piece)).unwrap();
    fs::write(folder.path().join("entry"), "changed").unwrap();
    assert!(seen == long && sealed.bytes().unwrap() == long);
    assert_eq!(fs::read(sealed.path()).unwrap().len(), long.len());
    let changed =
        fs::OpenOptions::new().write(true).open(sealed.path()).and_then(|mut file| file.write(b"x"));
    assert_eq!(changed.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    assert!(fs::OpenOptions::new().write(true).truncate(true).open(sealed.path()).is_err());

    let short = cache.entry("entry").unwrap().unwrap().head(100).unwrap();
    assert_eq!(short, b"changed");
}

#[test]
fn a_cache_is_kept_within_its_bound_by_what_was_used_last() {
    let folder = tempfile::tempdir().unwrap();
    let cache = HostAuthority::from_ambient().cache(folder.path()).unwrap();
    let path = |name: &str| folder.path().join(name);
    let hours_ago = |name: &str, hours: u64| {
        let time = SystemTime::now() - Duration::from_hours(hours);
        fs::File::options().write(true).open(path(name)).unwrap().set_modified(time).unwrap();
    };
    for (name, hours) in [("oldest", 400), ("old", 300), ("used", 200), ("new", 0)] {
        cache.write(name, &[0; 100]).unwrap();
        hours_ago(name, hours);
    }
    for (name, hours) in [(".1-0.tmp", 2), (".2-0.tmp", 0), (".other", 500)] {
        fs::write(path(name), [0; 100]).unwrap();
        hours_ago(name, hours);
    }
    fs::create_dir(path("folder")).unwrap();
    symlink(path("old"), path("link")).unwrap();
    assert_eq!(content(&cache, "used").len(), 100);

    // 100 of `new`, 100 of `used`, 100 of the file that is being written.
    cache.keep_within(300, "new").unwrap();
    assert_eq!(names(folder.path()), [".2-0.tmp", ".other", "folder", "link", "new", "used"]);
    cache.keep_within(0, "new").unwrap();
    assert_eq!(names(folder.path()), [".2-0.tmp", ".other", "folder", "link", "new"]);
    // Another user's file can only be made by root; it is not ours to count or remove.
    if rustix::process::geteuid().is_root() {
        cache.write("theirs", &[0; 100]).unwrap();
        hours_ago("theirs", 500);
        std::os::unix::fs::chown(path("theirs"), Some(12345), None).unwrap();
        cache.keep_within(100, "new").unwrap();
        assert!(path("theirs").is_file());
    }
}

#[test]
fn two_processes_may_bound_one_cache() {
    let folder = tempfile::tempdir().unwrap();
    let open = || HostAuthority::from_ambient().cache(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let cache = open();
                for round in 0..50 {
                    let name = format!("{thread}-{round}");
                    cache.write(&name, &[0; 100]).unwrap();
                    cache.keep_within(500, &name).unwrap();
                }
            });
        }
    });
    open().keep_within(500, "").unwrap();
    assert!(names(folder.path()).len() <= 5);
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn entries_that_others_could_have_made_are_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    let cache = HostAuthority::from_ambient().cache(&path).unwrap();
    for name in ["writable", "group"] {
        cache.write(name, b"x").unwrap();
    }
    fs::set_permissions(path.join("writable"), fs::Permissions::from_mode(0o602)).unwrap();
    fs::set_permissions(path.join("group"), fs::Permissions::from_mode(0o620)).unwrap();
    fs::write(folder.path().join("elsewhere"), "evil").unwrap();
    symlink(folder.path().join("elsewhere"), path.join("link")).unwrap();
    fs::create_dir(path.join("folder")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for (name, text) in [
        ("writable", "its mode is 0602"),
        ("group", "chmod go-w"),
        ("link", "is a link"),
        ("folder", "not a regular file"),
        ("fifo", "not a regular file"),
        ("../elsewhere", "cannot name a cache entry"),
        (".hidden", "cannot name a cache entry"),
        ("", "cannot name a cache entry"),
    ] {
        let error = cache.entry(name).unwrap_err();
        assert!(error.to_string().contains(text), "{name}: {error}");
    }
    // Another user's entry can only be made by root.
    if rustix::process::geteuid().is_root() {
        cache.write("theirs", b"x").unwrap();
        std::os::unix::fs::chown(path.join("theirs"), Some(12345), None).unwrap();
        let error = cache.entry("theirs").unwrap_err();
        assert!(error.to_string().contains("user 12345 owns it"), "{error}");
        cache.write("theirs", b"ours again").unwrap();
        assert_eq!(content(&cache, "theirs"), b"ours again");
    }
}

#[test]
fn folders_that_others_could_change_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let host = HostAuthority::from_ambient();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(host.cache(&shared).unwrap_err(), CacheError::NotPrivate { .. }));
    let link = folder.path().join("link");
    symlink(&shared, &link).unwrap();
    assert!(matches!(host.cache(&link).unwrap_err(), CacheError::WrongType { .. }));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(host.cache(&file).unwrap_err(), CacheError::Io { action: "make", .. }));
    if rustix::process::geteuid().is_root() {
        let theirs = folder.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(12345), None).unwrap();
        assert!(matches!(host.cache(&theirs).unwrap_err(), CacheError::NotPrivate { .. }));
    }
}

#[test]
fn components_are_regular_files_of_a_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    let host = HostAuthority::from_ambient();
    let component = folder.path().join("a.wasm");
    fs::write(&component, b"\0asm").unwrap();
    symlink(&component, folder.path().join("link.wasm")).unwrap();
    assert_eq!(host.read_component(&component).unwrap(), b"\0asm");
    assert_eq!(host.read_component(&folder.path().join("link.wasm")).unwrap(), b"\0asm");
    let mut opened = host.component(&component).unwrap();
    let mut seen = Vec::new();
    opened.look(&mut |piece| seen.extend_from_slice(piece)).unwrap();
    assert_eq!((&seen[..], &opened.bytes().unwrap()[..]), (&b"\0asm"[..], &b"\0asm"[..]));
    let missing = host.read_component(&folder.path().join("none.wasm")).unwrap_err();
    assert!(
        missing.is_not_found() && missing.to_string().ends_with("none.wasm\" does not exist"),
        "{missing}"
    );
    let error = host.read_component(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is a folder, and only regular files are read"), "{error}");
    // Sparse: it has a size and no content.
    let huge = folder.path().join("huge.wasm");
    fs::File::create(&huge).unwrap().set_len((512 << 20) + 1).unwrap();
    assert!(host.read_component(&huge).unwrap_err().to_string().ends_with("larger than the cap of 512 MiB"));
    let error = host.component(&huge).unwrap().look(&mut |_| ()).unwrap_err();
    assert!(error.to_string().ends_with("larger than the cap of 512 MiB"), "{error}");
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let host = HostAuthority::from_ambient();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = host.listen(address.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, ListenError::NotLoopback(_)), "{error}");
    }
    let listener = host.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = tokio::net::TcpStream::connect(listener.address());
    let (accepted, client) = tokio::join!(listener.accept(), client);
    accepted.unwrap().write_all(b"hello").await.unwrap();
    let mut text = String::new();
    client.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    assert!(matches!(host.listen(listener.address()).await.unwrap_err(), ListenError::Bind { .. }));
}

#[tokio::test]
async fn our_own_programs_are_started_with_pipes() {
    let host = HostAuthority::from_ambient();
    let mut child = host
        .command(std::path::Path::new("/bin/cat"))
        .stdin(tidegate_authority::Stdio::Piped)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"through").await.unwrap();
    drop(stdin);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "through");
    assert!(child.wait().await.unwrap().is_success());
}

#[test]
fn configuration_that_others_could_change_is_refused_with_its_cure() {
    use std::os::unix::fs::chown;
    let folder = tempfile::tempdir().unwrap();
    let host = HostAuthority::from_ambient();
    let file = folder.path().join("tidegate.yaml");
    assert!(host.read_config(&file).unwrap().is_none(), "there is none");
    assert!(host.read_config(&file.join("beneath")).unwrap().is_none());
    fs::write(&file, "connections: {}\n").unwrap();
    let shown = file.display();
    for (mode, refusal) in [
        (0o600, None),
        (0o644, None),
        (0o444, None),
        (0o664, Some(format!("its mode 0664 lets others write it. Run `chmod go-w {file:?}`"))),
        (0o646, Some(format!("its mode 0646 lets others write it. Run `chmod go-w {file:?}`"))),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let read = host.read_config(&file).map(|bytes| bytes.unwrap()).map_err(|error| error.to_string());
        match refusal {
            None => assert_eq!(read.unwrap(), b"connections: {}\n"),
            Some(refusal) => assert_eq!(read.unwrap_err(), format!("{shown} is not used: {refusal}")),
        }
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link.yaml");
    symlink(&file, &link).unwrap();
    assert!(host.read_config(&link).unwrap().is_some(), "a dotfiles manager's link");
    // Only root can give a file away.
    if chown(&file, Some(4242), None).is_ok() {
        let text = host.read_config(&link).unwrap_err().to_string();
        assert!(text.contains("user 4242 owns it. Run `chown "), "{text}");
    }
    let text = host.read_config(folder.path()).unwrap_err().to_string();
    assert!(text.ends_with("is a folder, not a file"), "{text}");
    let large = folder.path().join("large");
    fs::write(&large, vec![b'#'; (1 << 20) + 1]).unwrap();
    let text = host.read_config(&large).unwrap_err().to_string();
    assert!(text.ends_with("is larger than the cap of 1048576 bytes"), "{text}");
}
