//! The gateway that is attacked: one merchant, one vendor, a source of events.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use upsert_simulators::{Running, Simulator, SimulatorOptions, Vendor};

use crate::proxy::bound;

/// Of whoever is served.
pub(crate) const KEY: &str = "a key of somebody who is served";
const PATIENCE: Duration = Duration::from_secs(60);

/// It is killed when this is dropped.
pub struct Gateway {
    address: SocketAddr,
    child: Child,
    folder: PathBuf,
    _vendor: Running,
}

impl Gateway {
    /// Starts this program with a configuration of its own. `files`: how many it may have open.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start(program: &Path, files: Option<u64>) -> anyhow::Result<Self> {
        let vendor = Simulator::start(Vendor::Rotor, SimulatorOptions::default()).context("a vendor")?;
        let address = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?;
        let folder = std::env::temp_dir().join(format!("upsert-hostile-{}", address.port()));
        configure(&folder, address, vendor.base_url().as_ref())?;
        let program = fs::canonicalize(program).with_context(|| format!("{} is not built", program.display()))?;
        let limit = files.map_or_else(String::new, |files| format!("ulimit -n {files}; "));
        let script = format!("{limit}exec \"$0\" serve --config config");
        let log = fs::File::create(folder.join("log"))?;
        let child = Command::new("sh")
            .args(["-c", &script])
            .arg(program)
            .current_dir(&folder)
            .env("SECRET", "rotor_sim_secret")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut gateway = Self {
            address,
            child,
            folder,
            _vendor: vendor,
        };
        gateway.until_it_listens().await?;
        Ok(gateway)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it said so far.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What it said once it has said this, or when patience ends. It listens before it says that it is ready.
    pub async fn log_with(&self, words: &str) -> String {
        let began = Instant::now();
        while !self.log().contains(words) && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20)).await;
        }
        self.log()
    }

    /// Bytes of memory that it holds.
    pub fn resident(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1_024)
    }

    async fn until_it_listens(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", self.log());
            }
            if began.elapsed() > PATIENCE {
                bail!("it does not listen: {}", self.log());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn configure(folder: &Path, address: SocketAddr, vendor: &str) -> anyhow::Result<()> {
    let config = folder.join("config");
    fs::create_dir_all(config.join("merchants"))?;
    let hash = HEXLOWER.encode(&Sha256::digest(KEY));
    let gateway = format!(
        "[server]\nbind = \"{address}\"\n[store]\nurl = \"sqlite:gateway.db\"\n[telemetry]\nlog = \"warn,upsert_server::startup=info\"\n\
         [[api_keys]]\nname = \"caller\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"*\"]\nscopes = [\"customers:read\", \"customers:write\"]\n"
    );
    let merchant = format!(
        "id = \"acme\"\n[[connections]]\nname = \"rotor\"\nprovider = \"rotor\"\nbase_url = \"{vendor}\"\nrequired = false\n\
         credentials = {{ api_key = {{ env = \"SECRET\" }} }}\nrate_limit = {{ per_day = 0 }}\n[[webhooks.in]]\nsource = \"shop\"\n\
         verify = {{ scheme = \"hmac\", header = \"x-signature\", algorithm = \"sha256\", encoding = \"hex\", secret = {{ env = \"SECRET\" }} }}\n\
         event_id = \"/id\"\nmap = {{ reference = \"/ref\" }}\n"
    );
    fs::write(config.join("gateway.toml"), gateway)?;
    Ok(fs::write(config.join("merchants/acme.toml"), merchant)?)
}
