//! One program as a child process on a free port of 127.0.0.1, answered well once. It is killed when it is dropped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::client::{Connection, head};
use crate::folder::{self, ADD_UPDATE_KEY, Vendors};
use crate::others::{Place, installed_beside};
use crate::pinning::Pinning;
use crate::programs::Program;

/// A gateway with a great many merchants reads a great many files.
const PATIENCE: Duration = Duration::from_secs(120);
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
    /// The API key that it takes; empty where it takes none.
    pub key: String,
    pub(crate) child: Child,
}

impl Running {
    /// Kills it and waits for its end.
    pub async fn stop(mut self) {
        // One that has ended by itself is as good as killed.
        let _ = self.child.kill().await;
    }
}

/// A program, or why it is not measured.
pub type Launched = Result<Running, String>;

/// How the programs of a run are started.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// Where our own lie.
    pub programs: PathBuf,
    /// Which core they get.
    pub pinning: Pinning,
    /// Whom they call.
    pub vendors: Vendors,
}

impl Launcher {
    /// Starts a program with everything that it writes under `folder`, which is its own. `policies` are lines for the
    /// gateway's connections.
    ///
    /// # Errors
    /// It ends at once, or does not answer in two minutes; its log is shown. One of ours is not built.
    pub async fn launch(&self, which: Program, folder: &Path, policies: &str) -> anyhow::Result<Launched> {
        fs::create_dir_all(folder)?;
        if which == Program::Gateway {
            let (address, key) = self.configure(folder, policies)?;
            return Ok(Ok(self.serve(folder, address, key).await?));
        }
        let installed = installed_beside(&self.programs);
        let place = Place {
            listen: free_address()?,
            vendor: self.vendors.add_update,
            key: ADD_UPDATE_KEY,
            folder,
            installed: &installed,
            pinning: self.pinning,
        };
        let command = match which {
            Program::Bare => Ok(place.by_hand(&program(&self.programs, "upsert-bench-bare")?)),
            Program::Durable => Ok(place.by_hand(&program(&self.programs, "upsert-bench-durable")?)),
            Program::Nginx => place.nginx()?,
            Program::Node => place.node(),
            Program::FastApi => place.fastapi(),
            Program::Gateway => Err("started otherwise".to_owned()),
        };
        match command {
            Ok(command) => Ok(Ok(start(which.name(), command, place.listen, "/livez", folder).await?)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Writes a gateway's configuration; gives where it will listen, and its API key.
    ///
    /// # Errors
    /// The disk's.
    pub fn configure(&self, folder: &Path, policies: &str) -> anyhow::Result<(SocketAddr, String)> {
        let address = free_address()?;
        let key = folder::write(folder, address, &self.vendors, policies)?.key;
        Ok((address, key))
    }

    /// Starts a gateway that is configured.
    ///
    /// # Errors
    /// See [`Launcher::launch`].
    pub async fn serve(&self, folder: &Path, address: SocketAddr, key: String) -> anyhow::Result<Running> {
        let mut command = self.pinning.command(&program(&self.programs, "upsert-gateway")?);
        command.arg("serve").arg("--config").arg(folder);
        let running = start("gateway", command, address, "/readyz", folder).await?;
        Ok(Running { key, ..running })
    }

    /// Starts so many gateways over the store at this URL, with one configuration in `folder`; a file's where none is told.
    ///
    /// # Errors
    /// See [`Launcher::launch`].
    pub async fn replicas(&self, count: usize, folder: &Path, store: Option<&str>) -> anyhow::Result<Vec<Running>> {
        fs::create_dir_all(folder)?;
        let (first, key) = self.configure(folder, "")?;
        let mut all = Vec::new();
        for number in 0..count {
            let address = if number == 0 { first } else { free_address()? };
            let mut command = self.pinning.command(&program(&self.programs, "upsert-gateway")?);
            command.arg("serve").arg("--config").arg(folder);
            command.env("UPSERT_GATEWAY__SERVER__BIND", address.to_string());
            if let Some(store) = store {
                command.env("UPSERT_GATEWAY__STORE__URL", store);
            }
            let running = start(&format!("gateway-{number}"), command, address, "/readyz", folder).await?;
            all.push(Running {
                key: key.clone(),
                ..running
            });
        }
        Ok(all)
    }
}

pub(crate) fn program(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    anyhow::ensure!(path.exists(), "{} is not built: use scripts/bench", path.display());
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
        key: String::new(),
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
