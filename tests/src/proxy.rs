use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A real `kubectl proxy`, ended when this is dropped.
#[derive(Debug)]
pub struct KubectlProxy {
    child: Child,
    url: String,
}

impl KubectlProxy {
    /// Starts `kubectl proxy` on a free port; `kubectl` points at a cluster already.
    ///
    /// # Panics
    /// Where it ends before it listens.
    pub fn start(kubectl: &Command) -> KubectlProxy {
        KubectlProxy::start_with(kubectl, &[])
    }

    /// The same with flags of the test's choice.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[expect(clippy::expect_used, reason = "a test without its peer fails")]
    pub fn start_with(kubectl: &Command, flags: &[&str]) -> KubectlProxy {
        let arguments = [&["proxy", "--port=0"], flags].concat();
        let mut child = leaves_with_us(kubectl, &arguments).spawn().expect("start kubectl proxy");
        let mut lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
        // `Starting to serve on 127.0.0.1:40001`
        let line =
            lines.next().expect("kubectl proxy ended before it listened").expect("its standard output");
        let address = line.rsplit(' ').next().expect("an address").to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        KubectlProxy { child, url: format!("http://{address}") }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for KubectlProxy {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A shell around the program that ends it when our end of its standard input closes, however this process ends.
pub(crate) fn leaves_with_us(program: &Command, arguments: &[&str]) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "\"$@\" & cat >/dev/null; kill $!; wait", "sh"])
        .arg(program.get_program())
        .args(arguments);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::piped()).stdout(Stdio::piped());
    shell
}
