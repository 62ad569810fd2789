//! A hundred megabytes each way.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{NAMESPACE, POD, cluster, exec};

/// 100 MB that no pattern repeats within a frame.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(100_000_000);
    while bytes.len() < 100_000_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

/// Through `cat`: what comes back is what went in. The times are told, of builds as they are tested.
#[test]
fn a_hundred_megabytes_come_back_as_they_went() {
    cluster();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let noise = noise();
    fs::write(file("sent"), &noise).expect("write");
    let run = |mut command: Command, name: &str| {
        command.stdin(Stdio::from(fs::File::open(file("sent")).expect("open")));
        command.stdout(Stdio::from(fs::File::create(file(name)).expect("create"))).stderr(Stdio::inherit());
        let begun = Instant::now();
        let status = command.status().expect("start it");
        assert!(status.success(), "{name}: {status}");
        let elapsed = begun.elapsed();
        let same = fs::read(file(name)).expect("read") == noise;
        assert!(same, "{name}: not what was sent");
        eprintln!("{name}: 100 MB both ways in {elapsed:?}");
        elapsed
    };
    const ARGUMENTS: [&str; 6] = ["-i", "-c", "web", POD, "--", "cat"];
    let mut kubectl = cluster().kubectl();
    kubectl.args(["-n", NAMESPACE, "exec"]).args(ARGUMENTS);
    run(kubectl, "kubectl");
    for via in ["KubeConfig", "KubectlRaw"] {
        let ours = exec(via).arguments(&["-n", NAMESPACE]).arguments(&ARGUMENTS);
        run(ours.to_command(), via);
    }
}

/// What `kubectl cp` fetches is a tar, which anybody can ask for.
#[test]
fn a_file_that_is_fetched_is_the_one_that_kubectl_cp_fetches() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("there")).expect("a folder");
    fs::write(path("there/file"), &noise()[..10_000_000]).expect("write");
    let mut copy = cluster().kubectl();
    let there = path("there");
    let there = there.to_str().expect("text");
    copy.args(["-n", NAMESPACE, "cp", "-c", "web", &format!("{POD}:{there}/file"), "copied"]);
    assert!(copy.current_dir(folder.path()).status().expect("kubectl cp").success());
    let run = exec("KubeConfig")
        .arguments(&["-n", NAMESPACE, "-c", "web", POD, "--", "tar", "cf", "-", "-C", there, "file"]);
    let mut tar = Command::new("tar");
    let mut ours = run.to_command().stderr(Stdio::inherit()).spawn().expect("start tidegate");
    tar.args(["xf", "-", "-C"]).arg(folder.path()).stdin(ours.stdout.take().expect("its output"));
    assert!(tar.status().expect("tar").success() && ours.wait().expect("its end").success());
    let [copied, fetched] = ["copied", "file"].map(|name| fs::read(path(name)).expect("read"));
    assert!(copied == fetched && copied.len() == 10_000_000);
}
