//! The whole gateway beside simulated vendors, in one process, over real HTTP and a real SQLite file: what the
//! end-to-end tests start. With `UPSERT_TEST_REPLICAS` in the environment there are so many gateways over one PostgreSQL
//! database, and requests go to them in turn: whatever holds for one has to hold for them. With `UPSERT_TEST_SEALED` the
//! store is sealed.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot set up its world has to stop"
)]

pub mod browser;
mod code;
mod collector;
mod operator;
mod receiver;
pub mod search;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;
use tempfile::TempDir;

use upsert_core::{Clock, SystemClock};
use upsert_provider_kit::Registry;
use upsert_server::{ReloadFrom, Running as Gateway, StartOptions};
use upsert_settings::{Environment, Secrets, Settings, key_hash};
use upsert_simulators::{Hook, Record, Rewrites, Running as Simulated, Simulator, SimulatorOptions, Vendor};
use upsert_testkit::postgres::Database;

pub use browser::{Browser, Scheme};
pub use code::lines_of_production;
pub use collector::{CollectedSpan, Collector};
pub use operator::{Listening, Operator, Page};
pub use receiver::{Came, Manner, Receiver};

/// The API key that may do everything for `acme`.
pub const KEY: &str = "test-key-that-may-do-everything";

/// What sources of events sign with: a source names it as `secret = { file = "hook.secret" }`.
pub const HOOK_SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBzb3VyY2VzIG9mIGV2ZW50cw==";

/// What differs from world to world.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Lines for every connection.
    pub every_connection: String,
    /// Lines for Rotor's connection.
    pub rotor: String,
    /// Lines for the add-update connection.
    pub wallet: String,
    /// Lines for April's connection.
    pub april: String,
    /// Lines at the top of the merchant's file.
    pub merchant: String,
    /// Which of the three connections there are; empty for all.
    pub only: Vec<&'static str>,
    /// Whole tables at the end of the merchant's file: routes, further connections.
    pub tables: String,
    /// Lines for `[server]`.
    pub server: String,
    /// Whole tables at the end of `gateway.toml`.
    pub gateway: String,
    /// April's credential.
    pub april_key: Option<&'static str>,
    /// Whether its files are read again when they change.
    pub reloads: bool,
    /// Whether the test is about one process, or about its file: then there are no replicas.
    pub is_one_process: bool,
    /// Whether its store is sealed.
    pub is_sealed: bool,
}

/// A gateway, three vendors, and a merchant that has a connection to each.
#[derive(Debug)]
pub struct World {
    /// Rotor.
    pub rotor: Vendored,
    /// add-update.
    pub wallet: Vendored,
    /// April.
    pub april: Vendored,
    /// None between a stop and a start.
    gateways: Vec<Gateway>,
    count: usize,
    turn: AtomicUsize,
    _database: Option<Database>,
    folder: TempDir,
    reloads: bool,
    client: reqwest::Client,
}

/// A simulated vendor. (Its own type has no `Debug`.)
pub struct Vendored(pub Simulated);

impl std::fmt::Debug for Vendored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.base_url())
    }
}

impl Vendored {
    /// Sets who is told of its changes from now on, in place of all before.
    pub fn tell(&self, hooks: Vec<Hook>) {
        self.hooks().set(hooks).expect("the hooks have URLs and secrets");
    }

    /// Sets which of its fields are stored otherwise than sent, in place of all before.
    pub fn rewrites(&self, rewrites: Rewrites) {
        self.rewrite(rewrites).expect("the vendor has these fields");
    }

    /// Edits a record in the vendor's own screen: a merge patch in the vendor's words.
    pub fn edits(&self, id: &str, patch: &Json) -> Record {
        let patch = patch.as_object().expect("a patch is an object");
        self.edit(id, patch).expect("the vendor has this record")
    }

    /// The id of the one record that passes.
    pub fn id_of(&self, pass: impl Fn(&Record) -> bool) -> String {
        let mut found = self.records();
        found.retain(pass);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).id
    }
}

impl std::ops::Deref for Vendored {
    type Target = Simulated;
    fn deref(&self) -> &Simulated {
        &self.0
    }
}

/// An answer of the gateway.
#[derive(Debug, Clone)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub body: Json,
}

impl Answered {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The delivery at this connection.
    pub fn delivery(&self, connection: &str) -> &Json {
        self.body["deliveries"]
            .as_array()
            .and_then(|all| all.iter().find(|delivery| delivery["connection"] == connection))
            .unwrap_or(&Json::Null)
    }

    /// The customer's id.
    pub fn customer_id(&self) -> String {
        self.body["customer"]["id"]
            .as_str()
            .expect("the answer has a customer id")
            .to_owned()
    }

    /// The problem's code.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Starts a simulator that listens on a free port.
pub fn simulate(vendor: Vendor, options: SimulatorOptions) -> Vendored {
    Vendored(Simulator::start(vendor, options).expect("a simulator starts"))
}

impl World {
    /// With everything as it is by default.
    pub async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    /// With these differences.
    pub async fn with(plan: Plan) -> Self {
        Self::with_registry(plan, upsert_registry::registry).await
    }

    /// With files beside the configuration, such as secrets: name and content.
    pub async fn with_files(plan: Plan, files: &[(&str, &str)]) -> Self {
        Self::built(plan, upsert_registry::registry, files).await
    }

    /// With other providers.
    pub async fn with_registry(plan: Plan, registry: impl Fn() -> Registry) -> Self {
        Self::built(plan, registry, &[]).await
    }

    async fn built(plan: Plan, registry: impl Fn() -> Registry, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let rotor = simulate(Vendor::Rotor, SimulatorOptions::default());
        let wallet = simulate(Vendor::AddUpdate, SimulatorOptions::default());
        let april = simulate(Vendor::April, SimulatorOptions::default());
        let replicas = replicas().filter(|_| !plan.is_one_process);
        let database = replicas.map(|_| Database::new());
        let file = format!("sqlite:{}", folder.path().join("data").join("gateway.db").display());
        let store = database.as_ref().map_or(file, |database| database.url().to_owned());
        write_configuration(folder.path(), &plan, &store, [&rotor, &wallet, &april]);
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("a file is written");
        }
        let count = replicas.unwrap_or(1);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let gateways = start(count, folder.path(), registry, plan.reloads, &clock).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's own client, not the gateway's transport"
        )]
        let client = reqwest::Client::new();
        Self {
            rotor,
            wallet,
            april,
            gateways,
            count,
            turn: AtomicUsize::new(0),
            _database: database,
            folder,
            reloads: plan.reloads,
            client,
        }
    }

    /// Where its configuration and its store are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the gateway gracefully; what it stored stays.
    pub async fn stop(&mut self) {
        for gateway in self.gateways.drain(..) {
            gateway.stop().await;
        }
    }

    /// Starts the gateway again on the same store.
    pub async fn restart(&mut self) {
        self.restart_at(Arc::new(SystemClock)).await;
    }

    /// The same, with another clock.
    pub async fn restart_at(&mut self, clock: Arc<dyn Clock>) {
        self.stop().await;
        let registry = upsert_registry::registry;
        self.gateways = start(self.count, self.folder.path(), registry, self.reloads, &clock).await;
    }

    /// Changes the merchant's file while the gateway runs, and waits until it has taken the change over. The world has
    /// to be one that [`Plan::reloads`].
    pub async fn reconfigure(&self, change: impl Fn(&str) -> String) {
        let generation = |answered: &Answered| answered.body["configuration"]["generation"].as_u64();
        let mut before = Vec::new();
        for gateway in 0..self.count {
            before.push(generation(&self.get_at(gateway, "/readyz").await));
        }
        let file = self.folder().join("merchants").join("acme.toml");
        let text = std::fs::read_to_string(&file).expect("acme.toml can be read");
        std::fs::write(&file, change(&text)).expect("acme.toml can be written");
        for (gateway, before) in before.iter().enumerate() {
            let ask = || self.get_at(gateway, "/readyz");
            until("/readyz", Duration::from_secs(20), ask, |answered| {
                generation(answered) > *before
            })
            .await;
        }
    }

    /// Where the gateway listens. Of several the next one in turn.
    pub fn url(&self) -> String {
        self.url_of(self.turn.fetch_add(1, Ordering::Relaxed))
    }

    fn url_of(&self, turn: usize) -> String {
        let gateway = self.gateways.get(turn % self.count).expect("the gateway runs");
        format!("http://{}", gateway.addr)
    }

    /// The simulator of a vendor.
    pub fn vendor(&self, vendor: Vendor) -> &Vendored {
        match vendor {
            Vendor::Rotor => &self.rotor,
            Vendor::AddUpdate => &self.wallet,
            Vendor::April => &self.april,
        }
    }

    /// A hook to the gateway's own source of this name, with all else as it is by default. It is for the gateway that
    /// runs now: one that is started again may listen elsewhere.
    pub fn hook(&self, source: &str, secret: &str) -> Hook {
        Hook::new(format!("{}/v1/webhooks/acme/{source}", self.url()), secret)
    }

    /// Waits until no vendor has an event on its way, for at most `patience`. What the gateway does then with what it
    /// took may still make new ones.
    pub async fn all_told(&self, patience: Duration) {
        let vendors = [&self.rotor, &self.wallet, &self.april];
        let idle = async {
            while vendors.iter().any(|vendor| vendor.hooks().under_way() > 0) {
                for vendor in vendors {
                    vendor.hooks().idle().await;
                }
            }
        };
        if tokio::time::timeout(patience, idle).await.is_err() {
            let waiting = vendors.map(|vendor| vendor.hooks().under_way());
            give_up(&format!("events are on their way still: {waiting:?}"));
        }
    }

    /// An upsert.
    pub async fn upsert(&self, body: &Json) -> Answered {
        self.upsert_with(body, &[]).await
    }

    /// An upsert with further headers.
    pub async fn upsert_with(&self, body: &Json, headers: &[(&str, &str)]) -> Answered {
        self.send(Method::POST, "/v1/customers", Some(body), headers).await
    }

    /// A dry run.
    pub async fn plan(&self, body: &Json) -> Answered {
        self.send(Method::POST, "/v1/customers/plan", Some(body), &[]).await
    }

    /// A look.
    pub async fn get(&self, path: &str) -> Answered {
        self.send(Method::GET, path, None, &[]).await
    }

    async fn get_at(&self, gateway: usize, path: &str) -> Answered {
        let url = format!("{}{path}", self.url_of(gateway));
        answered(self.client.get(url).bearer_auth(KEY)).await
    }

    /// Any request with the key.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Json>, headers: &[(&str, &str)]) -> Answered {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.url()))
            .bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            request = request.header(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        let answered = answered(request).await;
        if answered.status == 200 && (path.ends_with("/pause") || path.ends_with("/resume")) {
            self.until_all_know(&answered).await;
        }
        answered
    }

    /// What was done to a connection at one gateway, the others know in a moment.
    async fn until_all_know(&self, connection: &Answered) {
        let members = ["merchant_id", "name", "paused_by"];
        let is_it = |one: &Json| members.iter().all(|member| one[member] == connection.body[member]);
        let has_it = |all: &Answered| all.body["data"].as_array().is_some_and(|all| all.iter().any(is_it));
        self.until_all("/v1/connections", Duration::from_secs(20), has_it).await;
    }

    /// Asks every gateway until its answer is as wanted, for at most `patience` each: what one knows the others know in a
    /// moment. Gives the last one's answer.
    pub async fn until_all(&self, path: &str, patience: Duration, wanted: impl Fn(&Answered) -> bool) -> Answered {
        let mut last = until(path, patience, || self.get_at(0, path), &wanted).await;
        for gateway in 1..self.count {
            last = until(path, patience, || self.get_at(gateway, path), &wanted).await;
        }
        last
    }

    /// How many gateways there are: what is a process's own (places, breakers) there is so often.
    pub const fn processes(&self) -> usize {
        self.count
    }

    /// Asks until the answer is as wanted, for at most `patience`.
    pub async fn until(&self, path: &str, patience: Duration, wanted: impl Fn(&Answered) -> bool) -> Answered {
        until(path, patience, || self.get(path), wanted).await
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Answered {
    let response = request.send().await.expect("the gateway answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("the answer is text");
    let body = serde_json::from_str(&text).unwrap_or(Json::Null);
    Answered {
        status,
        headers,
        text,
        body,
    }
}

async fn until(
    path: &str,
    patience: Duration,
    ask: impl AsyncFn() -> Answered,
    wanted: impl Fn(&Answered) -> bool,
) -> Answered {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let answered = ask().await;
        if wanted(&answered) {
            return answered;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{path} never became as wanted: {}",
            answered.text
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "how the suite is run is no setting")]
fn replicas() -> Option<usize> {
    let count = std::env::var("UPSERT_TEST_REPLICAS").ok()?;
    Some(count.parse().expect("UPSERT_TEST_REPLICAS is a number"))
}

/// What `[store]` says beside its URL.
fn encryption_keys(folder: &Path, plan: &Plan) -> &'static str {
    if !plan.is_sealed && std::env::var_os("UPSERT_TEST_SEALED").is_none() {
        return "";
    }
    std::fs::write(folder.join("sealing.key"), data_encoding::BASE64.encode(&[7; 32])).expect("a key can be written");
    "encryption_keys = [{ id = \"tests\", key = { file = \"sealing.key\" } }]\n"
}

async fn start(
    count: usize,
    folder: &Path,
    registry: impl Fn() -> Registry,
    reloads: bool,
    clock: &Arc<dyn Clock>,
) -> Vec<Gateway> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut gateways = Vec::new();
    for _ in 0..count {
        let settings = Settings::load(folder, &Environment::default(), Secrets::Resolve)
            .unwrap_or_else(|problems| panic_with(&problems));
        let options = StartOptions {
            reload: reloads.then(|| ReloadFrom::new(folder, Environment::default())),
            clock: clock.clone(),
            ..StartOptions::default()
        };
        let started = upsert_server::start(settings, registry(), options).await;
        gateways.push(started.expect("the gateway starts"));
    }
    gateways
}

fn panic_with(problems: &[upsert_settings::Problem]) -> Settings {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    give_up(&all.join("\n"))
}

#[expect(clippy::panic, reason = "a test whose world is not as it should be has to stop")]
fn give_up(problem: &str) -> ! {
    panic!("{problem}")
}

/// A table of `gateway.toml` for one more key; merchants and scopes with spaces between.
pub fn api_key(name: &str, secret: &str, merchants: &str, scopes: &str) -> String {
    let list = |words: &str| {
        words
            .split(' ')
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!(
        "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{}\"\nmerchants = [{}]\nscopes = [{}]\n",
        hash_of(secret),
        list(merchants),
        list(scopes)
    )
}

/// How `gateway.toml` names a key.
pub fn hash_of(secret: &str) -> String {
    data_encoding::HEXLOWER.encode(&key_hash(secret))
}

fn write_configuration(folder: &Path, plan: &Plan, store: &str, vendors: [&Vendored; 3]) {
    let server = &plan.server;
    let gateway = format!(
        "[server]\nbind = \"127.0.0.1:0\"\nworkers = 1\n{server}\n[store]\nurl = \"{store}\"\n{}\n{}\n{}\n",
        encryption_keys(folder, plan),
        api_key(
            "tests",
            KEY,
            "acme",
            "customers:read customers:write ops:read ops:write admin"
        ),
        plan.gateway,
    );
    let keys = [
        "rotor_sim_secret",
        "sim-key",
        plan.april_key.unwrap_or("sandbox_sk_sim"),
    ];
    let names = ["rotor", "wallet", "april"];
    let providers = ["rotor", "add-update", "april"];
    let credentials = ["api_key", "api_key", "secret_key"];
    let settings = [
        "",
        "settings = { merchant_id = \"m-1\" }",
        "settings = { merchant_id = \"mcht_acme\" }",
    ];
    let own = [&plan.rotor, &plan.wallet, &plan.april];
    let mut merchant = format!("id = \"acme\"\ndefault_region = \"US\"\n{}\n", plan.merchant);
    for index in 0..names.len() {
        let name = names[index];
        std::fs::write(folder.join(format!("{name}.secret")), keys[index]).expect("a secret is written");
        if !plan.only.is_empty() && !plan.only.contains(&name) {
            continue;
        }
        let settings = if own[index].contains("settings =") {
            ""
        } else {
            settings[index]
        };
        let table = format!(
            "\n[[connections]]\nname = \"{name}\"\nprovider = \"{}\"\nbase_url = \"{}\"\ncredentials = {{ {} = {{ file = \
             \"{name}.secret\" }} }}\n{settings}\n{}\n{}\n",
            providers[index],
            vendors[index].base_url(),
            credentials[index],
            plan.every_connection,
            own[index],
        );
        merchant.push_str(&table);
    }
    merchant.push_str(&plan.tables);
    std::fs::write(folder.join("hook.secret"), HOOK_SECRET).expect("a secret is written");
    std::fs::create_dir_all(folder.join("merchants")).expect("a folder");
    std::fs::write(folder.join("gateway.toml"), gateway).expect("gateway.toml is written");
    std::fs::write(folder.join("merchants").join("acme.toml"), merchant).expect("acme.toml is written");
}
