use std::fs::File;
use std::io::Read;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::pty::OpenptFlags;

use crate::Run;

impl Run {
    /// Runs it to its end as a person does, all three streams on one pseudoterminal on which nobody types; what that person sees, line
    /// ends as they are on a terminal.
    ///
    /// # Panics
    /// Where it does not start, or waits longer than 60 s: for somebody to type, maybe.
    #[expect(clippy::expect_used, reason = "a test without a terminal fails")]
    pub fn on_a_terminal(&self) -> (ExitStatus, String) {
        let terminal =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudoterminal");
        rustix::pty::grantpt(&terminal).expect("its rights");
        rustix::pty::unlockpt(&terminal).expect("its lock");
        let name = rustix::pty::ptsname(&terminal, Vec::new()).expect("its name");
        let name = name.to_str().expect("a name in ASCII");
        let side = || File::options().read(true).write(true).open(name).expect("its other side");
        let mut command = self.to_command();
        command.env("TERM", "xterm").stdin(side()).stdout(side()).stderr(side());
        let mut child = command.spawn().expect("start tidegate");
        // Or our own copies of the other side would keep it open.
        drop(command);
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            // Ends with an error once nobody holds the other side.
            let _ = File::from(terminal).read_to_end(&mut text);
            text
        });
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().expect("its status") {
                Some(status) => break status,
                None if begun.elapsed() < Duration::from_secs(60) => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                None => {
                    let _ = child.kill();
                    panic!("still running: {}", String::from_utf8_lossy(&reader.join().unwrap_or_default()));
                }
            }
        };
        (status, String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned())
    }
}
