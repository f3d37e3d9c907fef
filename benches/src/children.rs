//! The programs of a run as child processes on free ports of 127.0.0.1. They are killed when this is dropped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::client::{Connection, head};
use crate::folder::{self, ADD_UPDATE_KEY, Vendors};
use crate::pinning::Pinning;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// One running program.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process id.
    pub process: u32,
    /// From the start of the process to the first good answer.
    pub ready_after: Duration,
    pub(crate) child: Child,
}

/// All programs of a run.
#[derive(Debug)]
pub struct Children {
    /// The yardstick.
    pub bare: Running,
    /// The gateway.
    pub gateway: Running,
    /// The three vendors, in one process; the address is add-update's.
    pub simulators: Running,
    /// Where each vendor listens.
    pub vendors: Vendors,
    /// The gateway's API key.
    pub key: String,
}

impl Children {
    /// Starts the programs that lie in `programs`, with everything they write under `folder`.
    ///
    /// # Errors
    /// One is missing, ends at once, or does not answer in 30 seconds; its log is shown.
    pub async fn start(programs: &Path, folder: &Path, pinning: Pinning) -> anyhow::Result<Self> {
        Self::start_after(programs, folder, pinning, async || Ok(())).await
    }

    /// The same, with something done once the configuration is written and before the gateway starts.
    ///
    /// # Errors
    /// What is done first fails, or see [`Children::start`].
    pub async fn start_after(
        programs: &Path,
        folder: &Path,
        pinning: Pinning,
        first: impl AsyncFnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let vendors = Vendors {
            rotor: free_address()?,
            add_update: free_address()?,
            april: free_address()?,
        };
        let mut command = Command::new(program(programs, "upsert-simulators")?);
        command.arg("--quick");
        command.args(["--rotor", &vendors.rotor.to_string()]);
        command.args(["--add-update", &vendors.add_update.to_string()]);
        command.args(["--april", &vendors.april.to_string()]);
        let simulators = start("simulators", command, vendors.add_update, "/__sim/health", folder).await?;

        let address = free_address()?;
        let mut command = pinning.command(&program(programs, "upsert-bench-bare")?);
        command.args(["--listen", &address.to_string(), "--key", ADD_UPDATE_KEY]);
        command.args(["--vendor", &format!("http://{}", vendors.add_update)]);
        let bare = start("bare", command, address, "/livez", folder).await?;

        let address = free_address()?;
        let key = folder::write(folder, address, &vendors)?.key;
        first().await?;
        let mut command = pinning.command(&program(programs, "upsert-gateway")?);
        command.arg("serve").arg("--config").arg(folder);
        let gateway = start("gateway", command, address, "/readyz", folder).await?;
        Ok(Self {
            bare,
            gateway,
            simulators,
            vendors,
            key,
        })
    }

    /// Makes the vendors forget what they hold: their memory is not what is measured.
    ///
    /// # Errors
    /// One does not answer.
    pub async fn forget_vendors_records(&self) -> anyhow::Result<()> {
        for vendor in [self.vendors.rotor, self.vendors.add_update, self.vendors.april] {
            let mut connection = Connection::open(vendor).await?;
            let status = connection.call(&head("POST", "/__sim/reset", &[]), "").await?.status;
            anyhow::ensure!(status < 300, "a simulator answered {status} to its reset");
        }
        Ok(())
    }

    /// Kills all and waits for their ends.
    pub async fn stop(mut self) {
        for running in [&mut self.gateway, &mut self.bare, &mut self.simulators] {
            // One that has ended by itself is as good as killed.
            let _ = running.child.kill().await;
        }
    }
}

pub(crate) fn program(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    anyhow::ensure!(path.exists(), "{} is not built: use scripts/bench-load", path.display());
    Ok(path)
}

pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Starts a program, and waits until it answers well.
pub(crate) async fn start(
    name: &str,
    mut command: Command,
    address: SocketAddr,
    health: &str,
    folder: &Path,
) -> anyhow::Result<Running> {
    let log = folder.join(format!("{name}.log"));
    let file = File::create(&log)?;
    command.stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
    let process = child.id().with_context(|| format!("{name} ended at once"))?;
    while !is_well(address, health).await {
        let ended = child.try_wait()?;
        if ended.is_some() || started.elapsed() > PATIENCE {
            let log = fs::read_to_string(&log).unwrap_or_default();
            anyhow::bail!("{name} does not answer at {address}{health} (ended: {ended:?}):\n{log}");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(Running {
        address,
        process,
        ready_after: started.elapsed(),
        child,
    })
}

async fn is_well(address: SocketAddr, path: &str) -> bool {
    let Ok(mut connection) = Connection::open(address).await else {
        return false;
    };
    let answer = connection.call(&head("GET", path, &[]), "").await;
    answer.is_ok_and(|answer| (200..300).contains(&answer.status))
}
