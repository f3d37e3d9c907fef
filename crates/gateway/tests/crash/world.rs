//! Three vendors in this process, slow and unreliable; the gateway as a process of its own, on one address and one store.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use upsert_simulators::{AprilCredential, Cut, Effect, Fault, RotorKey, Running, Simulator, SimulatorOptions, Vendor};

pub(crate) const KEY: &str = "crash-test";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    /// Rotor, April, add-update.
    pub(crate) vendors: [Running; 3],
    pub(crate) client: reqwest::Client,
    address: SocketAddr,
    folder: TempDir,
    child: Option<Child>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free now, and nobody else's by the time the gateway asks for it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let vendors = [Vendor::Rotor, Vendor::April, Vendor::AddUpdate].map(|vendor| simulated(vendor, seed));
        configure(&folder, address, &vendors);
        Self {
            vendors,
            client: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
            address,
            folder,
            child: None,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Starts the gateway, and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_upsert-gateway"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("UPSERT_GATEWAY") {
                command.env_remove(name);
            }
        }
        command
            .args(["serve", "--log", "json", "--config"])
            .arg(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let began = Instant::now();
        let ready = self.url("/readyz");
        while !self
            .client
            .get(&ready)
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 200)
        {
            let is_over = self.child.as_mut().unwrap().try_wait().unwrap().is_some();
            assert!(
                !is_over && began.elapsed() < PATIENCE,
                "it does not get ready:\n{}",
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; the exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let sent = Command::new("kill")
            .args(["-s", "TERM", &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("it does not end:\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether what lies on the disk is a sound database: a copy of it, so that the gateway itself has to recover.
    pub(crate) fn check_store(&self) {
        let copies = tempfile::tempdir().unwrap();
        for name in ["gateway.db", "gateway.db-wal"] {
            let _ = fs::copy(self.folder.path().join(name), copies.path().join(name));
        }
        let store = rusqlite::Connection::open(copies.path().join("gateway.db")).unwrap();
        let verdict: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }

    /// What the log says that is worse than information.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log()).unwrap();
        log.lines()
            .filter(|line| line.contains("\"ERROR\""))
            .map(str::to_owned)
            .collect()
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended, which is what was wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn simulated(vendor: Vendor, seed: u64) -> Running {
    let mut options = SimulatorOptions {
        fault_seed: seed,
        ..SimulatorOptions::default()
    };
    options.rotor.daily_limit = None;
    options.rotor.keys = vec![RotorKey::new("rotor_crash", "acme")];
    options.april.credentials = vec![AprilCredential::Secret {
        token: "sk_crash".to_owned(),
        merchant: "mcht_acme".to_owned(),
    }];
    options.add_update.keys = vec!["wallet_crash".to_owned()];
    let running = Simulator::start(vendor, options).unwrap();
    running.faults().set(vec![
        Fault::always(Effect::Delay { millis: 5 }),
        Fault::always(Effect::Delay { millis: 60 }).probability(0.3),
        Fault::always(Effect::Cut { at: Cut::AfterWrite }).probability(0.05),
    ]);
    running
}

fn configure(folder: &TempDir, address: SocketAddr, vendors: &[Running; 3]) {
    let store = folder.path().join("gateway.db");
    let gateway = format!(
        "[server]\nbind = \"{address}\"\nshutdown_grace = \"15s\"\n[store]\nurl = \"sqlite:{}\"\n\
         [[api_keys]]\nname = \"load\"\nkey_sha256 = \"{}\"\nmerchants = [\"acme\"]\n\
         scopes = [\"customers:read\", \"customers:write\", \"ops:read\"]\n",
        store.display(),
        HEXLOWER.encode(&Sha256::digest(KEY)),
    );
    fs::write(folder.path().join("gateway.toml"), gateway).unwrap();
    let mut merchant = "id = \"acme\"\ndefault_region = \"US\"\n".to_owned();
    let [rotor, april, wallet] = vendors.each_ref().map(Running::base_url);
    for (name, url, credentials, settings) in [
        ("rotor", rotor, "api_key = { file = \"rotor\" }", ""),
        (
            "april",
            april,
            "secret_key = { file = \"april\" }",
            "merchant_id = \"mcht_acme\"",
        ),
        (
            "add-update",
            wallet,
            "api_key = { file = \"add-update\" }",
            "merchant_id = \"m-1\"",
        ),
    ] {
        let connection = format!(
            "[[connections]]\nname = \"{name}\"\nprovider = \"{name}\"\nbase_url = \"{url}\"\n\
             credentials = {{ {credentials} }}\nsettings = {{ {settings} }}\n\
             retry = {{ base = \"20ms\", cap = \"500ms\" }}\n"
        );
        merchant.push_str(&connection);
    }
    fs::create_dir(folder.path().join("merchants")).unwrap();
    fs::write(folder.path().join("merchants/acme.toml"), merchant).unwrap();
    for (name, secret) in [
        ("rotor", "rotor_crash"),
        ("april", "sk_crash"),
        ("add-update", "wallet_crash"),
    ] {
        fs::write(folder.path().join(name), secret).unwrap();
    }
}
