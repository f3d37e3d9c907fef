//! Two replicas as docker-compose.replicas.yml runs them: its configuration, its proxy, a real database, simulated vendors;
//! and what docs/operations.md says of them, done.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use upsert_simulators::{Effect, Fault, Running, Simulator, SimulatorOptions, Vendor, When};
use upsert_testkit::postgres::Database;

use crate::compose::{environment, yaml};
use crate::demo::on_a_runtime;
use crate::process::{Started, gateway, run, stderr, stdout, workspace};
use crate::proxy::Proxy;

const PATIENCE: Duration = Duration::from_secs(60);
const KEY: &str = "local-compose-key";

/// A replica: the binary with the configuration that Compose mounts.
struct Replica {
    process: Started,
    address: SocketAddr,
}

impl Replica {
    fn start(folder: &TempDir, store: &str) -> Self {
        Self::start_with(folder, store, &[])
    }

    /// With more in its environment.
    fn start_with(folder: &TempDir, store: &str, more: &[(&str, &str)]) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (address, metrics) = (free(), free());
        let folder = folder.path().to_str().unwrap();
        // Nobody reads its log: a full pipe would hold it up.
        let mut command = gateway(&["serve", "--log-level", "error", "--config", folder]);
        command.envs(environment(
            &yaml("docker-compose.replicas.yml")["services"]["gateway-1"],
        ));
        command.env("UPSERT_GATEWAY__STORE__URL", store);
        command.env("UPSERT_GATEWAY__SERVER__BIND", address.to_string());
        command.env("UPSERT_GATEWAY__SERVER__METRICS_BIND", metrics.to_string());
        command.envs(more.iter().copied());
        let process = Started::new(&mut command);
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < PATIENCE, "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { process, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The vendors, and a folder with the configuration that names them where they are.
fn vendors() -> (TempDir, [Running; 3]) {
    let vendors = [Vendor::Rotor, Vendor::April, Vendor::AddUpdate];
    let vendors = vendors.map(|vendor| Simulator::start(vendor, SimulatorOptions::default()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let shipped = |name: &str| fs::read_to_string(workspace("deploy/compose/replicas").join(name)).unwrap();
    let mut merchant = shipped("acme.toml");
    for (vendor, port) in vendors.iter().zip([4101, 4103, 3156]) {
        let inside = format!("//simulators:{port}");
        assert!(merchant.contains(&inside), "{inside}");
        merchant = merchant.replace(&inside, &format!("//{}", vendor.address()));
    }
    fs::create_dir(folder.path().join("merchants")).unwrap();
    fs::write(folder.path().join("merchants/acme.toml"), merchant).unwrap();
    fs::write(folder.path().join("gateway.toml"), shipped("gateway.toml")).unwrap();
    (folder, vendors)
}

fn person(number: usize) -> Json {
    json!({ "reference": format!("C-{number}"), "given_name": "Ann", "family_name": "Lee",
        "email": format!("ann{number}@example.com"), "phone": format!("+1202555{number:04}") })
}

/// Sends an upsert; status, whether it is a replay, and the answer.
fn upsert(url: &str, body: &Json, idempotency_key: Option<&str>) -> (u16, bool, Json) {
    let key = idempotency_key.map(|key| ("idempotency-key", key));
    upsert_with(url, body, key)
}

fn upsert_with(url: &str, body: &Json, header: Option<(&str, &str)>) -> (u16, bool, Json) {
    let client = reqwest::Client::builder().build().unwrap();
    let mut request = client.post(format!("{url}/v1/customers")).bearer_auth(KEY).json(body);
    request = request.header("merchant-id", "acme");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    on_a_runtime(async {
        let response = request.send().await.unwrap();
        let is_replayed = response.headers().contains_key("idempotent-replayed");
        (response.status().as_u16(), is_replayed, response.json().await.unwrap())
    })
}

fn get(url: &str, path: &str) -> Json {
    let request = reqwest::Client::builder().build().unwrap().get(format!("{url}{path}"));
    on_a_runtime(async { request.bearer_auth(KEY).send().await.unwrap().json().await.unwrap() })
}

fn known(url: &str, reference: &str) -> usize {
    let found = get(url, &format!("/v1/customers?reference={reference}"));
    found["data"].as_array().unwrap_or_else(|| panic!("{found:#}")).len()
}

fn outcomes(answer: &Json) -> Vec<&str> {
    let deliveries = answer["deliveries"].as_array().unwrap();
    deliveries
        .iter()
        .map(|one| one["outcome"].as_str().unwrap_or("none"))
        .collect()
}

#[test]
fn two_replicas_behind_the_proxy_are_one_gateway_and_one_may_go() {
    let (folder, vendors) = vendors();
    let database = Database::new();
    let mut replicas = [(); 2].map(|()| Replica::start(&folder, database.url()));
    let [one, two] = &replicas;
    let proxy = Proxy::start([("gateway-1", one.address), ("gateway-2", two.address)], &[]);
    let public = format!("http://127.0.0.1:{}", proxy.port);

    // What one replica made the other one knows: the customer, what vendors have, and the key of the request.
    let (status, _, made) = upsert(&one.url(), &person(1), Some("first"));
    assert_eq!(status, 201, "{made:#}");
    let (status, is_replayed, again) = upsert(&two.url(), &person(1), Some("first"));
    assert_eq!(
        (status, is_replayed, &again["upsert_id"]),
        (201, true, &made["upsert_id"])
    );
    for url in [&one.url(), &two.url(), &public] {
        let (status, _, same) = upsert(url, &person(1), None);
        assert_eq!((status, outcomes(&same)), (200, vec!["unchanged"; 3]), "{same:#}");
    }
    assert_eq!(vendors.each_ref().map(|vendor| vendor.records().len()), [1, 1, 1]);

    let rows: Vec<String> = (100..400).map(|number| person(number).to_string()).collect();
    let file = folder.path().join("people.ndjson");
    fs::write(&file, rows.join("\n")).unwrap();
    let mut import = gateway(&["import", file.to_str().unwrap(), "--json"]);
    import.env("UPSERT_GATEWAY_URL", &public).env("UPSERT_GATEWAY_KEY", KEY);
    let output = run(&mut import, "");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let told: Json = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told["accepted"], 300, "{told:#}");

    // One stops, and nobody who calls notices.
    one.process.signal("TERM");
    let (mut last, told) = (1_000, Instant::now());
    while TcpStream::connect(one.address).is_ok() {
        let (status, _, answer) = upsert(&public, &person(last), None);
        assert!((200..=202).contains(&status), "{status}: {answer:#}");
        last += 1;
    }
    let [one, two] = &mut replicas;
    assert_eq!(one.process.ended(), Some(0));
    assert!(
        told.elapsed() > Duration::from_secs(4) && last > 1_001,
        "it ended too soon to tell"
    );
    for number in (1_000..last).chain([1, 100, 399]) {
        assert_eq!(known(&two.url(), &format!("C-{number}")), 1, "C-{number}");
    }
}

#[test]
fn what_a_replica_has_under_way_when_its_grace_is_over_is_brought_by_the_other_one_at_once() {
    let (folder, vendors) = vendors();
    let database = Database::new();
    let hurried = [
        ("UPSERT_GATEWAY__SERVER__DRAIN_DELAY", "0s"),
        ("UPSERT_GATEWAY__SERVER__SHUTDOWN_GRACE", "1s"),
    ];
    let mut one = Replica::start_with(&folder, database.url(), &hurried);
    let two = Replica::start(&folder, database.url());
    let rotor = &vendors[0];
    let hangs = Fault::once(Effect::Hang { when: When::AfterWrite });
    rotor.faults().set(vec![hangs]);
    let (status, _, made) = upsert_with(&one.url(), &person(1), Some(("prefer", "respond-async")));
    assert_eq!(status, 202, "{made:#}");
    let began = Instant::now();
    while rotor.journal().counts().received == 0 {
        assert!(began.elapsed() < PATIENCE, "the vendor is not called");
        std::thread::sleep(Duration::from_millis(5));
    }
    one.process.signal("TERM");
    assert_eq!(one.process.ended(), Some(0));

    // Its lease would last for 35 s.
    let ended = Instant::now();
    let path = format!("/v1/upserts/{}", made["upsert_id"].as_str().unwrap());
    let upsert = loop {
        let upsert = get(&two.url(), &path);
        if upsert["state"] != "pending" {
            break upsert;
        }
        assert!(ended.elapsed() < Duration::from_secs(15), "{upsert:#}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let to_rotor = &upsert["deliveries"][0];
    assert_eq!(
        (&upsert["state"], &to_rotor["connection"]),
        (&json!("succeeded"), &json!("rotor"))
    );
    assert_eq!(
        (&to_rotor["attempts"], rotor.records().len()),
        (&json!(2), 1),
        "{upsert:#}"
    );
}

/// The commands of docs/operations.md that begin so.
fn documented(beginning: &str) -> String {
    let page = fs::read_to_string(workspace("docs/operations.md")).unwrap();
    let line = page.lines().map(str::trim).find(|line| line.starts_with(beginning));
    line.unwrap_or_else(|| panic!("no `{beginning}`")).to_owned()
}

#[test]
fn what_was_dumped_and_restored_as_the_manual_says_is_a_store_with_everything_in_it() {
    let (folder, vendors) = vendors();
    let database = Database::new();
    let before = Replica::start(&folder, database.url());
    let (status, _, made) = upsert(&before.url(), &person(1), None);
    assert_eq!(status, 201, "{made:#}");

    // The server's socket and its administrator are in the URL.
    let url = reqwest::Url::parse(database.url()).unwrap();
    let host = url.host_str().unwrap().replace("%2F", "/");
    let name = format!("restored_{}", url.path().trim_start_matches('/'));
    let restored = database.url().replace(url.path(), &format!("/{name}"));
    let shell = |line: &str| {
        let mut command = Command::new("bash");
        command.args(["-euc", line]).current_dir(folder.path());
        command
            .env("PGHOST", &host)
            .env("PGPORT", "5432")
            .env("PGUSER", "postgres");
        command
            .env("GATEWAY_STORE_URL", database.url())
            .env("RESTORED_STORE_URL", &restored);
        let output = run(&mut command, "");
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    };
    shell(&documented("umask 077; pg_dump"));
    // What comes after the copy is not in it.
    assert_eq!(upsert(&before.url(), &person(2), None).0, 201);
    before.process.signal("TERM");
    // The owner's name is the manual's; tests of other copies of the project share this server with nobody.
    shell("psql -qXd postgres -c 'CREATE ROLE gateway' || true");
    shell(&documented("createdb").replace("gateway_restored", &name));
    shell(&documented("pg_restore"));

    let after = Replica::start(&folder, &restored);
    let (status, _, same) = upsert(&after.url(), &person(1), None);
    assert_eq!((status, outcomes(&same)), (200, vec!["unchanged"; 3]), "{same:#}");
    assert_eq!(same["customer"]["id"], made["customer"]["id"]);
    assert_eq!(known(&after.url(), "C-2"), 0);
    // Vendors have that customer still, and are not given a second one.
    let (status, _, found) = upsert(&after.url(), &person(2), None);
    assert_eq!(status, 201, "{found:#}");
    assert_eq!(vendors.each_ref().map(|vendor| vendor.records().len()), [2, 2, 2]);
    drop(after);
    shell(&format!("dropdb --force {name}"));
}
