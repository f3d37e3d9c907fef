//! A server of a test's own: one that can be made to crash, or that speaks TLS.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with settings of its own. What it answers is durable.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// A new one, that runs. `settings` are lines of its configuration; files that they name may lie in [`Server::folder`],
    /// where `prepare` may put them.
    ///
    /// # Panics
    ///
    /// Where there is no PostgreSQL, or it does not start.
    pub fn new(settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("upsert-gateway-pg-")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut server = Self {
            programs: programs(),
            port: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
            folder,
            running: None,
        };
        prepare(server.folder());
        if is_root() {
            let owned = Command::new("chown")
                .args(["-R", "postgres:postgres"])
                .arg(server.folder())
                .status();
            assert!(owned.unwrap().success());
        }
        let mut initdb = server.command("initdb");
        initdb.arg("--pgdata").arg(server.data());
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let path = server.folder().join("settings.conf");
        fs::write(&path, settings).unwrap();
        server.start();
        server
    }

    /// Where its files are, and its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// A program of PostgreSQL's, as a user that it takes.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
            .arg(program);
        command
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start(&mut self) {
        let folder = self.folder().to_owned();
        let mut postgres = self.command("postgres");
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&folder)
            .arg(format!("-p{}", self.port));
        for line in fs::read_to_string(folder.join("settings.conf")).unwrap().lines() {
            postgres.arg("-c").arg(line);
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        postgres
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.running = Some(postgres.spawn().unwrap());
        let started = Instant::now();
        loop {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready
                .arg("--quiet")
                .arg(format!("--port={}", self.port))
                .arg("--host")
                .arg(&folder);
            if ready.status().unwrap().success() {
                return;
            }
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            let ended = self
                .running
                .as_mut()
                .is_none_or(|child| child.try_wait().unwrap().is_some());
            assert!(
                !ended && started.elapsed() < PATIENCE,
                "PostgreSQL did not start: {}",
                log()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a crash would: nothing is finished, nothing tidied up.
    ///
    /// # Panics
    ///
    /// Where it cannot be ended.
    pub fn crash(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let mut stop = self.command("pg_ctl");
        stop.args(["--silent", "--mode=immediate", "--pgdata"])
            .arg(self.data())
            .arg("stop");
        assert!(stop.status().unwrap().success());
        running.wait().unwrap();
    }

    /// Where its own database is.
    pub fn url(&self) -> String {
        let host = self.folder().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{host}:{}/postgres", self.port)
    }

    /// The id of its first process, the parent of all others; none while it does not run.
    pub fn process(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// The port of its socket, and of its address where it has one.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// The folder of the newest PostgreSQL's programs.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin"))).filter(|(_, bin)| bin.join("postgres").exists())
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin).unwrap()
}
