//! A gateway that is a process of its own, with a configuration and a store of its own, beside vendors that a test has.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use upsert_chaos::front::{Front, FrontKind};
use upsert_core::crash_point::VARIABLE;
use upsert_simulators::{Record, Running, Simulator, SimulatorOptions, Vendor};
use upsert_testkit::postgres::Database;

use crate::demo::on_a_runtime;
use crate::process::{Started, gateway, read_to, run};

const KEY: &str = "own-gateway-key-that-may-do-everything";
/// Of whoever manages merchants.
const PLATFORM_KEY: &str = "own-gateway-key-of-the-platform";

/// A simulator of each vendor.
pub(crate) struct Vendors([Running; 3]);

impl Vendors {
    pub(crate) fn start() -> Self {
        let all = [Vendor::Rotor, Vendor::AddUpdate, Vendor::April];
        Self(all.map(|vendor| Simulator::start(vendor, SimulatorOptions::default()).unwrap()))
    }

    /// A connection to each, and the credentials that they name; these lines more for Rotor's.
    pub(crate) fn connections(&self, rotor: &str) -> (String, [(&'static str, &'static str); 3]) {
        let [first, second, third] = &self.0;
        let table = |name: &str, provider: &str, vendor: &Running, credential: &str, more: &str| {
            format!(
                "[[connections]]\nname = \"{name}\"\nprovider = \"{provider}\"\nbase_url = \"{}\"\n\
                 credentials = {{ {credential} = {{ file = \"{name}.secret\" }} }}\n{more}\n",
                vendor.base_url()
            )
        };
        let tables = [
            table("rotor", "rotor", first, "api_key", rotor),
            table(
                "wallet",
                "add-update",
                second,
                "api_key",
                "settings = { merchant_id = \"m-1\" }",
            ),
            table(
                "april",
                "april",
                third,
                "secret_key",
                "settings = { merchant_id = \"mcht_acme\" }",
            ),
        ];
        let secrets = [
            ("rotor.secret", "rotor_sim_secret"),
            ("wallet.secret", "sim-key"),
            ("april.secret", "sandbox_sk_sim"),
        ];
        (tables.concat(), secrets)
    }

    /// What each of them has, and how many writes it was sent.
    pub(crate) fn records(&self) -> [(u64, Vec<Record>); 3] {
        self.0.each_ref().map(|vendor| {
            let mut records = vendor.records();
            records.sort_by(|one, other| one.id.cmp(&other.id));
            (vendor.journal().counts().writes, records)
        })
    }
}

/// Runs until it is dropped. With `UPSERT_TEST_REPLICAS` in the environment it is so many processes over one PostgreSQL
/// database, behind a proxy: whatever holds for one process on a file has to hold for them.
pub(crate) struct OwnGateway {
    pub(crate) folder: TempDir,
    url: String,
    _front: Option<Front>,
    processes: Vec<Started>,
    _database: Option<Database>,
}

#[expect(clippy::disallowed_methods, reason = "how the suite is run is no setting")]
fn replicas() -> Option<usize> {
    let count = std::env::var("UPSERT_TEST_REPLICAS").ok()?;
    Some(count.parse().unwrap())
}

impl OwnGateway {
    /// With these tables of connections in the merchant's file, and files of secrets: name and content.
    pub(crate) fn start(connections: &str, secrets: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = replicas().map(|_| Database::new());
        let file = format!("sqlite:{}", folder.path().join("gateway.db").display());
        let store = database.as_ref().map_or(file, |database| database.url().to_owned());
        let gateway = Self::start_on(folder, &store, connections, secrets);
        Self {
            _database: database,
            ..gateway
        }
    }

    /// The same, with the store at this URL.
    pub(crate) fn start_on(folder: TempDir, store: &str, connections: &str, secrets: &[(&str, &str)]) -> Self {
        let count = replicas().filter(|_| store.starts_with("postgres"));
        let (mut processes, mut addresses) = (Vec::new(), Vec::new());
        for number in 0..count.unwrap_or(1) {
            let config = folder.path().join(format!("config-{number}"));
            let (process, address) = start_one(&config, store, (connections, secrets), None);
            processes.push(process);
            addresses.push(address);
        }
        let kind = count.map_or(FrontKind::Nothing, |_| FrontKind::Nginx);
        let front = Front::start(kind, folder.path(), &addresses).unwrap();
        let address = front.as_ref().map_or(addresses[0], Front::address);
        until_it_listens(address);
        Self {
            folder,
            url: format!("http://{address}"),
            _front: front,
            processes,
            _database: None,
        }
    }

    /// One process that dies at this crash point.
    pub(crate) fn aimed(folder: TempDir, store: &str, connections: &str, aim: &str) -> Self {
        let config = folder.path().join("config-0");
        let (process, address) = start_one(&config, store, (connections, &[]), Some(aim));
        Self {
            folder,
            url: format!("http://{address}"),
            _front: None,
            processes: vec![process],
            _database: None,
        }
    }

    /// Sends it a request that it does not survive.
    pub(crate) fn dies_of(&self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let client = reqwest::Client::builder().build().unwrap();
        let mut request = client.request(method.parse().unwrap(), format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.bearer_auth(KEY);
        assert!(on_a_runtime(request.send()).is_err(), "{method} {path} was answered");
    }

    /// Sends its processes a signal, such as `STOP`.
    pub(crate) fn signal_all(&self, name: &str) {
        self.processes.iter().for_each(|process| process.signal(name));
    }

    /// Kills it, and gives its folder.
    pub(crate) fn stop(self) -> TempDir {
        self.folder
    }

    /// Changes the configuration of its first process.
    pub(crate) fn reconfigure(&self, change: impl FnOnce(&str) -> String) {
        let file = self.folder.path().join("config-0").join("gateway.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, change(&text)).unwrap();
    }

    /// Kills it, and starts one process with the configuration as it stands now. Its log says this before it listens, or soon.
    pub(crate) fn again_until_it_says(self, text: &str) -> Self {
        let Self {
            folder, url, processes, ..
        } = self;
        drop(processes);
        let config = folder.path().join("config-0");
        let config = config.to_str().unwrap();
        let mut process = Started::new(&mut gateway(&["serve", "--log-level", "warn", "--config", config]));
        read_to(&mut process.stderr, text);
        until_it_listens(url.strip_prefix("http://").unwrap().parse().unwrap());
        Self {
            folder,
            url,
            _front: None,
            processes: vec![process],
            _database: None,
        }
    }

    /// Its address, and a key for what is done with customers.
    pub(crate) fn target(&self) -> (String, &'static str) {
        (self.url.clone(), KEY)
    }

    /// Runs a command against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(KEY, arguments, "")
    }

    /// Runs a command of whoever manages merchants, which is told this.
    pub(crate) fn run_by_platform(&self, arguments: &[&str], input: &str) -> Output {
        self.run_with(PLATFORM_KEY, arguments, input)
    }

    fn run_with(&self, key: &str, arguments: &[&str], input: &str) -> Output {
        let mut command: Command = gateway(arguments);
        command
            .env("UPSERT_GATEWAY_URL", &self.url)
            .env("UPSERT_GATEWAY_KEY", key);
        run(&mut command, input)
    }

    /// Asks it for something.
    pub(crate) fn get(&self, path: &str) -> Json {
        let client = reqwest::Client::builder().build().unwrap();
        let request = client.get(format!("{}{path}", self.url)).bearer_auth(KEY);
        on_a_runtime(async {
            let response = request.send().await.unwrap();
            assert!(response.status().is_success(), "{path}: {}", response.status());
            response.json().await.unwrap()
        })
    }

    /// Sends it something; status and answer.
    pub(crate) fn post(&self, path: &str, kind: &str, body: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let client = reqwest::Client::builder().build().unwrap();
        let mut request = client.post(format!("{}{path}", self.url)).bearer_auth(KEY);
        for (name, value) in headers.iter().chain(&[("content-type", kind)]) {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned());
        on_a_runtime(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    }

    /// Writes a file beside its configuration.
    pub(crate) fn written(&self, name: &str, text: &str) -> String {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// All of its customers, as lists of them show them.
    pub(crate) fn customers(&self) -> Vec<Json> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/customers?limit=200{cursor}"));
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Waits until nothing is on its way to a vendor.
    pub(crate) fn until_all_is_delivered(&self, patience: Duration) {
        let began = Instant::now();
        loop {
            let connections = self.get("/v1/connections");
            let open =
                |connection: &Json| connection["waiting"].as_u64().unwrap() + connection["in_flight"].as_u64().unwrap();
            let all: u64 = connections["data"].as_array().unwrap().iter().map(open).sum();
            if all == 0 {
                return;
            }
            assert!(began.elapsed() < patience, "{connections:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A process whose configuration is in this folder. It dies at the crash point that it is aimed at.
fn start_one(
    folder: &Path,
    store: &str,
    (connections, secrets): (&str, &[(&str, &str)]),
    aim: Option<&str>,
) -> (Started, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    write_configuration(folder, address, store, connections);
    for (name, content) in secrets {
        fs::write(folder.join(name), content).unwrap();
    }
    // Nobody reads its log: a full pipe would hold it up.
    let config = folder.to_str().unwrap();
    let mut command = gateway(&["serve", "--log-level", "error", "--config", config]);
    if let Some(aim) = aim {
        command.env(VARIABLE, aim);
    }
    let process = Started::new(&mut command);
    until_it_listens(address);
    (process, address)
}

fn until_it_listens(address: SocketAddr) {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn write_configuration(folder: &Path, address: SocketAddr, store: &str, connections: &str) {
    let hash = |key: &str| data_encoding::HEXLOWER.encode(&Sha256::digest(key));
    let (own, platform) = (hash(KEY), hash(PLATFORM_KEY));
    fs::create_dir_all(folder.join("merchants")).unwrap();
    fs::write(folder.join("sealing.key"), data_encoding::BASE64.encode(&[7; 32])).unwrap();
    let text = format!(
        "[server]\nbind = \"{address}\"\napi_merchants_may_use_loopback = true\n[store]\nurl = \"{store}\"\n\
         encryption_keys = [{{ id = \"one\", key = {{ file = \"sealing.key\" }} }}]\n\
         [[api_keys]]\nname = \"tests\"\nkey_sha256 = \"{own}\"\n\
         merchants = [\"acme\"]\nscopes = [\"customers:read\", \"customers:write\", \"ops:read\", \"ops:write\"]\n\
         [[api_keys]]\nname = \"platform\"\nkey_sha256 = \"{platform}\"\n\
         merchants = [\"*\"]\nscopes = [\"customers:write\", \"ops:read\", \"admin\"]\n"
    );
    fs::write(folder.join("gateway.toml"), text).unwrap();
    let merchant = format!("id = \"acme\"\ndefault_region = \"US\"\n{connections}");
    fs::write(folder.join("merchants").join("acme.toml"), merchant).unwrap();
}
