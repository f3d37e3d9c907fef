//! One run's world: vendors behind proxies in this process, the gateway as a process of its own on one address and one
//! store, and the folder that holds all that is left of it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use data_encoding::HEXLOWER;
use reqwest::RequestBuilder;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpSocket;
use upsert_core::crash_point::VARIABLE;

use crate::proxy::bound;
use crate::vendors::{self, ACME, CREDENTIAL, SOLO, Vendored, Weather};

/// The API key that may do everything for both merchants.
pub const KEY: &str = "chaos-run";

/// How long the gateway may take to start, to end, and to bring everything home once the weather is fair.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What signs events: nobody here looks at it.
const HOOK_SECRET: &str = "whsec_Y2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgY2g=";

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Whether it is ready is asked at least so often before it is given up, each time longer than the gateway itself takes to
/// find its store away.
const QUESTIONS: u32 = 6;
const SIGABRT: i32 = 6;

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
    address: SocketAddr,
    /// Bound and never listening: the port is this world's while no gateway runs, too.
    _port: TcpSocket,
    child: Option<Child>,
}

impl World {
    /// Starts the vendors and writes the configuration; the gateway is not started.
    ///
    /// # Errors
    /// The folder cannot be written, or a port cannot be had.
    pub fn new(options: WorldOptions) -> anyhow::Result<Self> {
        ensure!(options.gateway.exists(), "{} is not built", options.gateway.display());
        fs::create_dir_all(options.folder.join("merchants"))?;
        let vendors = vendors::start(options.seed)?;
        let port = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = port.local_addr()?;
        configure(&options, address, &vendors)?;
        Ok(Self {
            vendors,
            client: reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?,
            options,
            address,
            _port: port,
            child: None,
        })
    }

    /// Where the gateway listens, with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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

    /// Starts the gateway and waits until it is ready.
    ///
    /// # Errors
    /// It ends, or does not get ready; its last words are told.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        match self.start_aimed(None).await? {
            None => Ok(()),
            Some(status) => Err(self.ended_with(status)),
        }
    }

    /// Starts the gateway so that it dies at a crash point, named as `point@time`. Gives its end where it died before it
    /// was ready.
    ///
    /// # Errors
    /// It does not get ready; what it answered and its last words are told.
    pub async fn start_aimed(&mut self, aim: Option<&str>) -> anyhow::Result<Option<ExitStatus>> {
        self.spawn(aim)?;
        let (began, mut asked) = (Instant::now(), 0_u32);
        loop {
            if let Some(status) = self.ended()? {
                self.child = None;
                return Ok(Some(status));
            }
            let answer = match self.ask_whether_ready().await {
                Ok(()) => return Ok(None),
                Err(answer) => answer,
            };
            asked += 1;
            ensure!(
                began.elapsed() < self.options.patience,
                "the gateway runs and is not ready after {:?} and {asked} questions, the last of which got {answer}; the \
                 end of its log:\n{}",
                began.elapsed(),
                self.last_words()
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Asks once, and not for ever: one question that nobody answers says little. Gives what came instead of a yes.
    async fn ask_whether_ready(&self) -> Result<(), String> {
        let question = self.client.get(self.url("/readyz"));
        let answer = question.timeout(self.options.patience / QUESTIONS).send().await;
        let answer = answer.map_err(|error| format!("no answer: {:#}", anyhow::Error::new(error)))?;
        if answer.status() == 200 {
            return Ok(());
        }
        let status = answer.status();
        Err(format!("{status}: {}", answer.text().await.unwrap_or_default()))
    }

    /// Starts the gateway and kills it so soon after that it may not have got ready.
    ///
    /// # Errors
    /// It cannot be started, or ends by itself.
    pub async fn start_and_kill(&mut self, after: Duration) -> anyhow::Result<()> {
        self.spawn(None)?;
        tokio::time::sleep(after).await;
        self.kill()
    }

    fn spawn(&mut self, aim: Option<&str>) -> anyhow::Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.options.gateway);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("UPSERT_") {
                command.env_remove(name);
            }
        }
        if let Some(aim) = aim {
            command.env(VARIABLE, aim);
        }
        command.args(["serve", "--log", "json", "--config"]).arg(self.folder());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().context("the gateway cannot be started")?);
        Ok(())
    }

    /// How the gateway ended, if it has.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// Waits until the gateway has died at the point that it was aimed at; false if it still lives after `patience`.
    ///
    /// # Errors
    /// It ended in another way.
    pub async fn dies_within(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                self.child = None;
                self.expect_a_point(status)?;
                return Ok(true);
            }
            if began.elapsed() >= patience {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// That it ended as at a crash point, and not for another reason.
    ///
    /// # Errors
    /// It did not; its last words are told.
    pub fn expect_a_point(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.signal() == Some(SIGABRT) {
            return Ok(());
        }
        Err(self.ended_with(status))
    }

    fn ended_with(&self, status: ExitStatus) -> anyhow::Error {
        anyhow!(
            "the gateway ended with {status}; the end of its log:\n{}",
            self.last_words()
        )
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It has ended by itself.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else {
            bail!("no gateway runs");
        };
        if let Some(status) = child.try_wait()? {
            return Err(self.ended_with(status).context("nobody had killed it yet"));
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM; the exit code.
    ///
    /// # Errors
    /// It does not end.
    pub async fn terminate(&mut self) -> anyhow::Result<Option<i32>> {
        let Some(mut child) = self.child.take() else {
            bail!("no gateway runs");
        };
        let sent = Command::new("kill")
            .args(["-s", "TERM", &child.id().to_string()])
            .status()?;
        ensure!(sent.success(), "the signal could not be sent");
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            if began.elapsed() > PATIENCE {
                child.kill()?;
                bail!("the gateway does not end:\n{}", self.last_words());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Sends a request with the key, and reads its answer as JSON.
    ///
    /// # Errors
    /// There is no whole answer.
    pub async fn ask(&self, request: RequestBuilder) -> anyhow::Result<(u16, Json)> {
        let answer = request.bearer_auth(KEY).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Lines of the log that are worse than a warning.
    ///
    /// # Errors
    /// There is no log.
    pub fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = fs::read_to_string(self.log())?;
        let errors = log.lines().filter(|line| line.contains("\"ERROR\""));
        Ok(errors.map(str::to_owned).collect())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.reverse();
        lines.join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder().join("gateway.log")
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

fn configure(options: &WorldOptions, address: SocketAddr, vendors: &[Vendored]) -> anyhow::Result<()> {
    let folder = &options.folder;
    let gateway = format!(
        "[server]\nbind = \"{address}\"\nshutdown_grace = \"20s\"\n{}\n[store]\nurl = \"sqlite:{}\"\n\
         [[api_keys]]\nname = \"chaos\"\nkey_sha256 = \"{}\"\nmerchants = [\"{ACME}\", \"{SOLO}\"]\n\
         scopes = [\"customers:read\", \"customers:write\", \"ops:read\", \"ops:write\"]\n",
        options.server,
        folder.join("gateway.db").display(),
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
