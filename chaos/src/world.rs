//! One run's world: vendors behind proxies in this process, the gateway as a process of its own on one address and one
//! store, or several over one database behind one proxy, and the folder that holds all that is left of it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use data_encoding::HEXLOWER;
use reqwest::RequestBuilder;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::front::{Front, FrontKind};
use crate::process::Process;
use crate::vendors::{self, ACME, CREDENTIAL, SOLO, Vendored, Weather};

/// The API key that may do everything for both merchants.
pub const KEY: &str = "chaos-run";

/// How long the gateway may take to start, to end, and to bring everything home once the weather is fair.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client keeps a connection open that it does not use: shorter than whatever it talks to.
const KEPT_OPEN: Duration = Duration::from_secs(20);

/// What signs events: nobody here looks at it.
const HOOK_SECRET: &str = "whsec_Y2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgY2g=";

/// What every connection says, unless a run says otherwise: short waits, so that a run sees many of them.
pub const CONNECTION: &str = "timeout = \"2s\"\nretry = { base = \"20ms\", cap = \"400ms\" }\n\
                              breaker = { failure_ratio = 0.7, window = \"5s\", min_calls = 20, open_for = \"500ms\" }";

/// What differs from run to run.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// Seed of all dice.
    pub seed: u64,
    /// The program `upsert-gateway`.
    pub gateway: PathBuf,
    /// Where configuration, store and log go; it is made.
    pub folder: PathBuf,
    /// Lines for every connection.
    pub connection: String,
    /// Lines for `[server]`.
    pub server: String,
    /// Whole tables at the end of each merchant's file.
    pub tables: String,
    /// How long the gateway may take to get ready.
    pub patience: Duration,
    /// Where each of several gateways finds the store that they share; none: one gateway with a file.
    pub stores: Vec<String>,
    /// What stands in front of several gateways.
    pub front: FrontKind,
    /// How long a gateway takes requests after it was told to end, and says that it is not ready.
    pub drain_delay: Duration,
}

impl WorldOptions {
    /// With everything else as it is by default.
    pub fn new(seed: u64, gateway: &Path, folder: &Path) -> Self {
        Self {
            seed,
            gateway: gateway.to_owned(),
            folder: folder.to_owned(),
            connection: CONNECTION.to_owned(),
            server: String::new(),
            tables: String::new(),
            patience: PATIENCE,
            stores: Vec::new(),
            front: FrontKind::default(),
            drain_delay: Duration::ZERO,
        }
    }
}

/// The world of one run. The gateway is killed when this is dropped.
pub struct World {
    /// Every connection's vendor and proxy.
    pub vendors: Vec<Vendored>,
    /// A client with a patience of its own.
    pub client: reqwest::Client,
    options: WorldOptions,
    gateways: Vec<Process>,
    front: Option<Front>,
}

impl World {
    /// Starts the vendors and writes the configuration; the gateway is not started.
    ///
    /// # Errors
    /// The folder cannot be written, or a port cannot be had.
    pub fn new(options: WorldOptions) -> anyhow::Result<Self> {
        ensure!(options.gateway.exists(), "{} is not built", options.gateway.display());
        fs::create_dir_all(&options.folder)?;
        let vendors = vendors::start(options.seed)?;
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .pool_idle_timeout(KEPT_OPEN)
            .no_proxy();
        let client = client.build()?;
        let file = format!("sqlite:{}", options.folder.join("gateway.db").display());
        let (stores, is_alone) = (options.stores.clone(), options.stores.is_empty());
        let stores = if is_alone { vec![file] } else { stores };
        let mut gateways = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            let folder = if is_alone {
                options.folder.clone()
            } else {
                options.folder.join(format!("replica-{number}"))
            };
            let gateway = Process::new(&options.gateway, &folder, client.clone(), options.patience)?;
            configure(&options, &folder, store, gateway.address(), &vendors)?;
            gateways.push(gateway);
        }
        let addresses: Vec<SocketAddr> = gateways.iter().map(Process::address).collect();
        let kind = if is_alone { FrontKind::Nothing } else { options.front };
        let front = Front::start(kind, &options.folder, &addresses)?;
        Ok(Self {
            vendors,
            client,
            options,
            gateways,
            front,
        })
    }

    /// Where the gateway listens, with a path; of several, the proxy in front of them.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Where the gateway listens; of several, the proxy in front of them.
    pub fn address(&self) -> SocketAddr {
        self.front
            .as_ref()
            .map_or_else(|| self.gateways[0].address(), Front::address)
    }

    /// Where clients may send to: to the proxy, or, where there is none, to every gateway.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match &self.front {
            Some(front) => vec![front.address()],
            None => self.gateways.iter().map(Process::address).collect(),
        }
    }

    /// Waits until the proxy passes requests on to all gateways.
    ///
    /// # Errors
    /// It does not.
    pub async fn until_all_get_requests(&self) -> anyhow::Result<()> {
        match &self.front {
            Some(front) => front.until_all_are_up(&self.client).await,
            None => Ok(()),
        }
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// The store's file.
    pub fn store(&self) -> PathBuf {
        self.options.folder.join("gateway.db")
    }

    /// Puts all vendors into this weather.
    pub fn set_weather(&self, weather: &Weather) {
        vendors::set(&self.vendors, weather);
    }

    /// The gateway; in a world of several the first of them.
    pub fn gateway(&mut self) -> &mut Process {
        &mut self.gateways[0]
    }

    /// All of them.
    pub fn gateways(&mut self) -> &mut [Process] {
        &mut self.gateways
    }

    /// Starts every gateway and waits until all are ready.
    ///
    /// # Errors
    /// One ends, or does not get ready; its last words are told.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        for gateway in &mut self.gateways {
            gateway.start().await?;
        }
        self.until_all_get_requests().await
    }

    /// Sends a request with the key, and reads its answer as JSON.
    ///
    /// # Errors
    /// There is no whole answer.
    pub async fn ask(&self, request: RequestBuilder) -> anyhow::Result<(u16, Json)> {
        let answer = request.bearer_auth(KEY).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Lines of the logs that are worse than a warning.
    ///
    /// # Errors
    /// There is no log.
    pub fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let mut complaints = Vec::new();
        for gateway in &self.gateways {
            complaints.extend(gateway.complaints()?);
        }
        Ok(complaints)
    }
}

fn configure(
    options: &WorldOptions,
    folder: &Path,
    store: &str,
    address: SocketAddr,
    vendors: &[Vendored],
) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("merchants"))?;
    let gateway = format!(
        "[server]\nbind = \"{address}\"\ndrain_delay = \"{}ms\"\nshutdown_grace = \"20s\"\n{}\n[store]\nurl = \"{store}\"\n\
         [[api_keys]]\nname = \"chaos\"\nkey_sha256 = \"{}\"\nmerchants = [\"{ACME}\", \"{SOLO}\"]\n\
         scopes = [\"customers:read\", \"customers:write\", \"ops:read\", \"ops:write\"]\n",
        options.drain_delay.as_millis(),
        options.server,
        HEXLOWER.encode(&Sha256::digest(KEY)),
    );
    fs::write(folder.join("gateway.toml"), gateway)?;
    fs::write(folder.join("vendor.secret"), CREDENTIAL)?;
    fs::write(folder.join("hook.secret"), HOOK_SECRET)?;
    for merchant in [ACME, SOLO] {
        let mut text = format!("id = \"{merchant}\"\ndefault_region = \"US\"\nsync_deadline = \"3s\"\n");
        for vendor in vendors.iter().filter(|vendor| vendor.merchant == merchant) {
            text.push_str(&vendor.table(&options.connection));
        }
        text.push_str(&options.tables);
        fs::write(folder.join(format!("merchants/{merchant}.toml")), text)?;
    }
    Ok(())
}
