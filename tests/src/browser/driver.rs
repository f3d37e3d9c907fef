//! The chromedriver process: it starts on a port of its own, and nothing of it or of its browser outlives it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::give_up;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Tests beside this one take ports as well.
const MOST_TRIES: usize = 20;
/// What chromedriver says when it listens.
const STARTED: &str = "started successfully on port ";
/// What it says when it gives up because of its port.
const PORT_TAKEN: &str = "port not available";

#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Driver {
    /// Starts chromedriver and waits until it listens.
    pub(super) async fn start() -> Self {
        for _try in 0..MOST_TRIES {
            let mut driver = Self::spawn();
            if let Some(port) = driver.listens().await {
                driver.port = port;
                return driver;
            }
        }
        give_up(&format!("chromedriver found no port in {MOST_TRIES} tries"))
    }

    fn spawn() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let output = File::create(folder.path().join("chromedriver.log")).expect("a file for the output");
        let errors = output.try_clone().expect("a second handle");
        // It stays in the group of the test: whoever ends the test by its group ends this too.
        let child = Command::new("chromedriver")
            .arg("--port=0")
            // What a browser keeps beside its profile goes here too.
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                give_up(&format!(
                    "chromedriver does not start ({error}): install Debian's chromium and chromium-driver"
                ))
            });
        Self { child, port: 0, folder }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has said.
    pub(super) fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("chromedriver.log")).unwrap_or_default()
    }

    /// None: the port that it was given for IPv6 is somebody else's for IPv4, and it has ended.
    async fn listens(&mut self) -> Option<u16> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            // Before its words are read: once it is over they are all there.
            let is_over = self.child.try_wait().is_ok_and(|ended| ended.is_some());
            let output = self.output();
            if let Some(port) = port_in(&output) {
                return Some(port);
            }
            if is_over && output.contains(PORT_TAKEN) {
                return None;
            }
            if is_over || Instant::now() > deadline {
                give_up(&format!("chromedriver does not listen. It said:\n{output}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to end all browsers and itself; waits for the answer.
    fn ask_to_end(&self) -> std::io::Result<()> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&addr, ENDS_WITHIN)?;
        stream.set_read_timeout(Some(ENDS_WITHIN))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

fn port_in(output: &str) -> Option<u16> {
    let (_, rest) = output.split_once(STARTED)?;
    // The sentence ends with a full stop: a number before it is whole.
    rest.split_once('.')?.0.parse().ok()
}

impl Drop for Driver {
    /// Runs when a test panics, too. A browser whose chromedriver is killed ends as well: the pipe between them breaks.
    fn drop(&mut self) {
        let deadline = Instant::now() + ENDS_WITHIN;
        if self.ask_to_end().is_ok() {
            while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The last of the browser's processes may still write a file while it ends.
        while fs::remove_dir_all(self.folder.path()).is_err()
            && self.folder.path().exists()
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
