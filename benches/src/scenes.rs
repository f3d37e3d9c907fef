//! The parts of a run, each with what it found as tables.

pub mod faults;
pub mod frontier;
pub mod growth;
pub mod imports;
pub mod overload;
pub mod starts;
pub mod store_alone;
pub mod stores;

use std::path::Path;
use std::time::Duration;

use crate::children::Children;
use crate::customers::Numbers;
use crate::flood::Flood;
use crate::folder::ONE;
use crate::launch::Running;
use crate::programs::Program;

/// More callers than the slowest answers hold up at the rates in question.
const CALLERS: usize = 6_000;

/// What every scene is played on.
#[derive(Debug)]
pub struct Stage<'a> {
    /// What is running already.
    pub children: &'a Children,
    /// A folder on the disk that is measured.
    pub folder: &'a Path,
    /// Customers' numbers.
    pub numbers: Numbers,
}

impl Stage<'_> {
    /// A gateway that has seen nothing, in a folder of this name. `policies` are lines for its connections.
    ///
    /// # Errors
    /// It does not start.
    pub async fn gateway(&self, name: &str, policies: &str) -> anyhow::Result<Running> {
        let folder = self.folder.join(name);
        let launched = self
            .children
            .launcher
            .launch(Program::Gateway, &folder, policies)
            .await?;
        launched.map_err(anyhow::Error::msg)
    }

    /// New customers at a fixed rate for the merchant with one connection.
    pub fn flood(&self, gateway: &Running, per_second: u32, time: Duration) -> Flood {
        let count = u64::from(per_second) * time.as_secs().max(1) * 2;
        Flood {
            address: gateway.address,
            key: gateway.key.clone(),
            merchant: ONE,
            per_second,
            time,
            first: self.numbers.take(count),
            connections: CALLERS,
        }
    }
}
