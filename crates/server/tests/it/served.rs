//! A gateway of a test's own: a configuration folder, a server on a free port, a client.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use upsert_server::{ReloadFrom, Running, StartError, StartOptions, start};
use upsert_settings::{Environment, Secrets, Settings, key_hash};
use upsert_store::Store;
use upsert_testkit::MemoryStore;

/// Keys by what they may do: `name`, merchants, scopes, limit.
const KEYS: [(&str, &str, &str, &str); 7] = [
    (
        "all",
        r#"["*"]"#,
        r#"["customers:read", "customers:write", "ops:read", "ops:write", "admin"]"#,
        "",
    ),
    (
        "acme",
        r#"["acme"]"#,
        r#"["customers:read", "customers:write", "ops:read", "ops:write"]"#,
        "",
    ),
    (
        "globex",
        r#"["globex"]"#,
        r#"["customers:read", "customers:write", "ops:read"]"#,
        "",
    ),
    (
        "both",
        r#"["acme", "globex"]"#,
        r#"["customers:read", "customers:write"]"#,
        "",
    ),
    ("reader", r#"["acme"]"#, r#"["customers:read"]"#, ""),
    ("admin", r#"["acme"]"#, r#"["admin"]"#, ""),
    (
        "slow",
        r#"["acme"]"#,
        r#"["customers:read"]"#,
        "{ per_second = 1, burst = 2 }",
    ),
];

const ACME: &str = r#"
id = "acme"
default_region = "US"
sync_deadline = "400ms"

[[connections]]
name = "ledger"
provider = "ledger"
credentials = { pin = { env = "PIN" } }
retry = { attempts = 1, base = "5s", cap = "20s" }

[[connections]]
name = "mute"
provider = "mute"
required = false
credentials = { pin = { env = "PIN" } }
"#;

const GLOBEX: &str = r#"
id = "globex"

[[connections]]
name = "ledger"
provider = "ledger"
credentials = { pin = { env = "PIN" } }
"#;

/// The secret of the key of this name.
pub(crate) fn secret(name: &str) -> String {
    format!("secret of {name}").replace(' ', "-")
}

/// The usual `gateway.toml`, with more members of `[server]`.
pub(crate) fn gateway_toml(server: &str) -> String {
    let head = format!("[server]\nbind = \"127.0.0.1:0\"\nworkers = 1\nshutdown_grace = \"5s\"\n{server}\n");
    let keys = KEYS.map(|(name, merchants, scopes, limit)| {
        let hash = HEXLOWER.encode(&key_hash(&secret(name)));
        let limit = if limit.is_empty() {
            String::new()
        } else {
            format!("rate_limit = {limit}\n")
        };
        format!(
            "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{hash}\"\nmerchants = {merchants}\nscopes = {scopes}\n{limit}"
        )
    });
    head + &keys.concat()
}

/// A configuration folder that is gone after the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// With the usual merchants.
    pub(crate) fn new(server: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("gateway.toml", &gateway_toml(server));
        folder.write("merchants/acme.toml", ACME);
        folder.write("merchants/globex.toml", GLOBEX);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn environment() -> Environment {
        Environment::from_iter([
            ("PIN", "1234"),
            ("KEY_A", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="),
            ("KEY_B", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="),
        ])
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::load(self.path(), &Self::environment(), Secrets::Resolve).expect("settings without a problem")
    }

    /// A start over memory, with reloading from this folder.
    pub(crate) fn options(&self) -> StartOptions {
        StartOptions {
            store: Some(Arc::new(MemoryStore::new())),
            reload: Some(ReloadFrom::new(self.path(), Self::environment())),
            body_timeout: Duration::from_millis(300),
            ..StartOptions::default()
        }
    }

    pub(crate) async fn start(&self, options: StartOptions) -> Result<Running, StartError> {
        start(self.settings(), crate::ledger::registry(), options).await
    }
}

/// A started gateway.
pub(crate) struct ConfigSnapshot {
    pub(crate) folder: Folder,
    pub(crate) running: Running,
    pub(crate) client: Client,
}

impl ConfigSnapshot {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// With more members of `[server]`.
    pub(crate) async fn with(server: &str) -> Self {
        Self::of(Folder::new(server)).await
    }

    /// With more of acme's file.
    pub(crate) async fn with_acme(more: &str) -> Self {
        let folder = Folder::new("");
        folder.write("merchants/acme.toml", &format!("{ACME}\n{more}"));
        Self::of(folder).await
    }

    /// The same, over this store.
    pub(crate) async fn with_acme_over(more: &str, store: Arc<dyn Store>) -> Self {
        let folder = Folder::new("");
        folder.write("merchants/acme.toml", &format!("{ACME}\n{more}"));
        Self::over_store(folder, store).await
    }

    async fn of(folder: Folder) -> Self {
        let options = folder.options();
        Self::over(folder, options).await
    }

    /// Of this folder, over this store.
    pub(crate) async fn over_store(folder: Folder, store: Arc<dyn Store>) -> Self {
        let options = StartOptions {
            store: Some(store),
            ..folder.options()
        };
        Self::over(folder, options).await
    }

    /// Of this folder, started so.
    pub(crate) async fn over(folder: Folder, options: StartOptions) -> Self {
        let running = folder.start(options).await.expect("a gateway");
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            folder,
            running,
            client,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    /// A request under a fixed request id, with this key.
    pub(crate) fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, self.url(path))
            .header("X-Request-Id", "a-test");
        if key.is_empty() {
            request
        } else {
            request.bearer_auth(secret(key))
        }
    }

    pub(crate) fn get(&self, path: &str, key: &str) -> RequestBuilder {
        self.request(Method::GET, path, key)
    }

    pub(crate) fn post(&self, path: &str, key: &str, body: &Json) -> RequestBuilder {
        self.request(Method::POST, path, key).json(body)
    }

    /// An upsert for acme.
    pub(crate) fn upsert(&self, body: &Json) -> RequestBuilder {
        self.post("/v1/customers", "acme", body)
    }

    /// A customer of acme, whose id it answers.
    pub(crate) async fn customer(&self, email: &str) -> String {
        let answer = self.upsert(&json!({ "email": email })).send().await.unwrap();
        let body: Json = answer.json().await.unwrap();
        body["customer"]["id"].as_str().expect("an id").to_owned()
    }
}

/// Status and body.
pub(crate) async fn read(request: RequestBuilder) -> (u16, Json) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// A header's text.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}
