//! Databases for tests, in the server that `scripts/test-postgres` starts and ends.

mod server;

use std::fs::File;
use std::path::Path;
use std::process::Command;

use uuid::Uuid;

pub use server::Server;

/// An empty database of a test's own. The server stays as long as anybody has one.
#[derive(Debug)]
pub struct Database {
    url: String,
    _user: File,
}

impl Database {
    /// A new one.
    ///
    /// # Panics
    ///
    /// Where there is no PostgreSQL, or it does not start.
    pub fn new() -> Self {
        // The server may be going just now: then there is nothing to lock, or nobody who answers, and the next one comes.
        (0..5).find_map(|_| Self::try_new()).unwrap()
    }

    fn try_new() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test-postgres");
        let started = Command::new(script).output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        let folder = String::from_utf8(started.stdout).unwrap().trim().to_owned();
        let user = File::open(Path::new(&folder).join("users")).ok()?;
        user.lock_shared().ok()?;
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut create = Command::new("psql");
        create.args(["--quiet", "--no-psqlrc", "--username=postgres", "--port=5432"]);
        create.args([&format!("--host={folder}"), "--dbname=postgres"]);
        create.arg(format!("--command=CREATE DATABASE {name}"));
        let host = folder.replace('/', "%2F");
        create.status().ok()?.success().then(|| Self {
            url: format!("postgres://postgres@{host}/{name}"),
            _user: user,
        })
    }

    /// Changes its rows by hand.
    ///
    /// # Panics
    ///
    /// Where the server refuses.
    pub fn execute(&self, sql: &str) {
        let mut psql = Command::new("psql");
        psql.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", &self.url]);
        let done = psql.arg(format!("--command={sql}")).output().unwrap();
        assert!(
            done.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}
