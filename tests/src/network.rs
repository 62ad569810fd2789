use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use rustix::mount::mount_bind;

use crate::{Names, skipped};

/// Tells a test that it is inside.
const INSIDE: &str = "TIDEGATE_TESTS_NETWORK";

/// A network that holds nothing but this test, with a DNS server of the test's own, which all programs that it starts ask.
///
/// It is a namespace: the machine's own network and `/etc/resolv.conf` stay as they are, and no right is needed that a user lacks.
#[derive(Debug)]
pub struct Network {
    names: Names,
    _resolver: tempfile::NamedTempFile,
}

impl Network {
    /// Runs the test that calls it once more, in a network with these addresses besides loopback's, and fails where that run fails.
    /// There it returns the network; to the first run it returns none, and there is nothing left to do. Where this machine forbids
    /// namespaces it says so, and the test counts as skipped.
    ///
    /// `test` is the test's full name in its program, e.g. `names::a_test`.
    ///
    /// # Panics
    /// Where the test fails inside, has another name, or the network cannot be prepared.
    pub fn of_its_own(test: &str, addresses: &[&str]) -> Option<Network> {
        if std::env::var_os(INSIDE).is_some() {
            return Some(Network::prepare(addresses));
        }
        match possible() {
            Ok(()) => run_inside(test),
            Err(why) => skipped(test, &format!("namespaces are not to be had here: {why}")),
        }
        None
    }

    /// What its DNS server answers.
    pub fn names(&self) -> &Names {
        &self.names
    }

    #[expect(clippy::expect_used, reason = "a test without its network fails")]
    fn prepare(addresses: &[&str]) -> Network {
        ip(&["link", "set", "lo", "up"]);
        for address in addresses {
            let length = if address.contains(':') { 128 } else { 32 };
            let mut arguments = vec!["address", "add"];
            let block = format!("{address}/{length}");
            arguments.extend([block.as_str(), "dev", "lo"]);
            if length == 128 {
                // Or the address would be looked for among neighbours first, and could not be used for a second.
                arguments.push("nodad");
            }
            ip(&arguments);
        }
        let resolver = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(resolver.path(), "nameserver 127.0.0.1\noptions timeout:10 attempts:1\n")
            .expect("write a file");
        mount_bind(resolver.path(), "/etc/resolv.conf").expect("mount over /etc/resolv.conf");
        Network { names: Names::serve(IpAddr::from(Ipv4Addr::LOCALHOST)), _resolver: resolver }
    }
}

fn unshared(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--net", "--"]).arg(program);
    command
}

/// Errors: in the words of whatever refused.
fn possible() -> Result<(), String> {
    let output = unshared("true").output().map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[expect(clippy::expect_used, reason = "a test that cannot run itself fails")]
fn run_inside(test: &str) {
    let own = std::env::current_exe().expect("the test's own program");
    let mut inside = unshared(own);
    inside.args([test, "--exact", "--nocapture"]).env(INSIDE, "1");
    let output = inside.output().expect("start unshare");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    // A name that is no test's would pass as well, with nothing run.
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "{test}, in a network of its own:\n{stdout}\n{stderr}");
}

#[expect(clippy::expect_used, reason = "a test without its network fails")]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("start ip, of iproute2");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
