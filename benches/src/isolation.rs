//! One gateway and three merchants: whose only vendor is well, whose only vendor is hostile, and who has one of each,
//! the hostile one optional. What the well ones notice of the hostile one is what is measured.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use crate::backlog;
use crate::flood::{Flood, Flooded};
use crate::folder::{ADD_UPDATE_KEY, base, gateway, quoted};
use crate::hostile::Hostile;
use crate::launch::{Running, free_address, program, start};

/// The merchant whose only vendor is well.
pub const WELL: &str = "well";
/// The merchant whose only vendor is the hostile one.
pub const SICK: &str = "sick";
/// The merchant with one of each, the hostile one not required.
pub const MIXED: &str = "mixed";

/// Requests of one flood, so that no two floods share customers.
const STRIDE: u64 = 400_000;
/// More callers than the slowest answers hold up at the rates in question.
const CALLERS: usize = 6_000;

/// What a scene is played on.
#[derive(Debug)]
pub struct Stage {
    /// The gateway.
    pub gateway: Running,
    /// The vendor that misbehaves.
    pub hostile: Hostile,
    simulators: Running,
    key: String,
    floods: AtomicU64,
}

impl Stage {
    /// Starts everything. `policies`: lines of configuration for the connections to the hostile vendor.
    ///
    /// # Errors
    /// A program is missing or does not start.
    pub async fn set(programs: &Path, folder: &Path, policies: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let vendor = free_address()?;
        let mut command = Command::new(program(programs, "upsert-simulators")?);
        command.args(["--quick", "--add-update", &vendor.to_string()]);
        for unused in ["--rotor", "--april"] {
            command.args([unused, &free_address()?.to_string()]);
        }
        let simulators = start("simulators", command, vendor, "/__sim/health", folder).await?;
        let hostile = Hostile::start(vendor)?;
        let address = free_address()?;
        let key = configuration(folder, address, vendor, hostile.address, policies)?;
        let mut command = Command::new(program(programs, "upsert-gateway")?);
        command.arg("serve").arg("--config").arg(folder);
        let gateway = start("gateway", command, address, "/readyz", folder).await?;
        Ok(Self {
            gateway,
            hostile,
            simulators,
            key,
            floods: AtomicU64::new(0),
        })
    }

    /// A flood of new customers.
    pub fn flood(&self, merchant: &'static str, per_second: u32, time: Duration) -> Flood {
        Flood {
            address: self.gateway.address,
            key: self.key.clone(),
            merchant,
            per_second,
            time,
            first: self.floods.fetch_add(1, Ordering::Relaxed) * STRIDE,
            connections: CALLERS,
        }
    }

    /// Runs these floods at once, to the end of all.
    ///
    /// # Errors
    /// A flood could not begin.
    pub async fn play<const N: usize>(&self, floods: [Flood; N]) -> anyhow::Result<Vec<Flooded>> {
        let mut threads = Vec::with_capacity(N);
        for flood in floods {
            threads.push(flood.begin()?);
        }
        let mut flooded = Vec::with_capacity(N);
        for thread in threads {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await?;
            flooded.push(ended.map_err(|_| anyhow::anyhow!("a flood panicked"))??);
        }
        Ok(flooded)
    }

    /// Waits until nothing is open any more; how long that took, none if it took longer than `patience`.
    ///
    /// # Errors
    /// The gateway does not answer.
    pub async fn settled(&self, patience: Duration) -> anyhow::Result<Option<Duration>> {
        backlog::settled(self.gateway.address, &self.key, patience).await
    }

    /// Kills all and waits for their ends.
    pub async fn strike(mut self) {
        for running in [&mut self.gateway, &mut self.simulators] {
            // One that has ended by itself is as good as killed.
            let _ = running.child.kill().await;
        }
    }
}

fn configuration(
    folder: &Path,
    bind: SocketAddr,
    vendor: SocketAddr,
    hostile: SocketAddr,
    policies: &str,
) -> anyhow::Result<String> {
    let key = upsert_settings::generate_key()?;
    let path = folder.to_str().context("the folder's name is not UTF-8")?;
    for name in ["merchants", "data"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    std::fs::write(folder.join("vendor-key"), ADD_UPDATE_KEY)?;
    std::fs::write(folder.join("gateway.toml"), gateway(path, bind, &key))?;
    let connection = |name: &str, address: SocketAddr, lines: &str| {
        format!(
            "\n[[connections]]\nname = \"{name}\"\nprovider = \"add-update\"\nbase_url = {}\n\
             credentials = {{ api_key = {{ file = {} }} }}\nsettings = {{ merchant_id = \"m-1\" }}\n{lines}\n",
            quoted(&base(address, "")),
            quoted(&format!("{path}/vendor-key"))
        )
    };
    let merchant = |id: &str, connections: &[String]| {
        let text = format!("id = \"{id}\"\ndefault_region = \"US\"\n{}", connections.concat());
        std::fs::write(folder.join(format!("merchants/{id}.toml")), text)
    };
    let optional = format!("required = false\n{policies}");
    merchant(WELL, &[connection("vendor", vendor, "")])?;
    merchant(SICK, &[connection("vendor", hostile, policies)])?;
    merchant(
        MIXED,
        &[
            connection("vendor", vendor, ""),
            connection("optional", hostile, &optional),
        ],
    )?;
    Ok(key.key)
}

#[cfg(test)]
mod tests {
    use upsert_settings::{Environment, Secrets, Settings};

    use super::*;

    #[test]
    fn the_gateway_takes_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        configuration(folder.path(), at(8080), at(4101), at(4102), "timeout = \"2s\"").unwrap();
        let settings = Settings::load(folder.path(), &Environment::default(), Secrets::Resolve).unwrap();
        let mixed = &settings.merchants[MIXED].connections;
        assert_eq!((mixed.len(), mixed[1].required), (2, false));
        assert_eq!(settings.merchants[SICK].connections[0].timeout, Duration::from_secs(2));
    }
}
