use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::proxy::leaves_with_us;

/// A kind of proxy out of Debian's packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// tinyproxy: HTTP.
    Tinyproxy,
    /// microsocks: SOCKS5.
    Microsocks,
}

/// A real proxy on a free port, ended when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    kind: ProxyKind,
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Starts it; with a user and a password it takes nobody else.
    ///
    /// # Panics
    /// Where it does not start: `cargo xtask test` installs it.
    #[expect(clippy::expect_used, reason = "a test without its peer fails")]
    pub fn start(kind: ProxyKind, user: Option<(&str, &str)>) -> Proxy {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = port.expect("a free port");
        let log = folder.path().join("log");
        let port = address.port().to_string();
        let mut command = match kind {
            ProxyKind::Tinyproxy => {
                let login =
                    user.map_or(String::new(), |(name, password)| format!("BasicAuth {name} {password}\n"));
                let text = format!(
                    "Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\nLogLevel Connect\n{login}"
                );
                let file = folder.path().join("tinyproxy.conf");
                std::fs::write(&file, text).expect("its configuration");
                leaves_with_us(&Command::new("tinyproxy"), &["-d", "-c", &file.to_string_lossy()])
            }
            ProxyKind::Microsocks => {
                let mut arguments = vec!["-i", "127.0.0.1", "-p", &port];
                if let Some((name, password)) = user {
                    arguments.extend(["-u", name, "-P", password]);
                }
                leaves_with_us(&Command::new("microsocks"), &arguments)
            }
        };
        let file = std::fs::File::create(&log).expect("its log");
        let twice = file.try_clone().expect("its log");
        let child = command.stdin(Stdio::piped()).stdout(file).stderr(twice).spawn().expect("start a proxy");
        let proxy = Proxy { kind, child, address, log, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{kind:?} does not listen: {}", proxy.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    /// `http://…` or `socks5://…`, with this user and password.
    pub fn url(&self, user: Option<(&str, &str)>) -> String {
        let scheme = match self.kind {
            ProxyKind::Tinyproxy => "http",
            ProxyKind::Microsocks => "socks5",
        };
        let login = user.map_or(String::new(), |(name, password)| format!("{name}:{password}@"));
        format!("{scheme}://{login}{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it wrote so far.
    ///
    /// # Panics
    /// Where that cannot be read.
    #[expect(clippy::expect_used, reason = "a test without its peer fails")]
    pub fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text)).expect("its log");
        text
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
