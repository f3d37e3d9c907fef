//! All programs of a run: the vendor, and what is measured against it. They are killed when this is dropped.

use std::path::Path;

use tokio::process::Command;

use crate::folder::Vendors;
use crate::launch::{Launched, Launcher, Running, free_address, program, start};
use crate::pinning::Pinning;
use crate::programs::Program;
use crate::vendor;

/// All programs of a run.
#[derive(Debug)]
pub struct Children {
    /// How to start more of them.
    pub launcher: Launcher,
    /// The vendor of all.
    pub vendor: Running,
    launched: Vec<(Program, Launched)>,
}

impl Children {
    /// Starts the vendor and nothing yet that calls it.
    ///
    /// # Errors
    /// It is not built, or does not answer.
    pub async fn begin(programs: &Path, folder: &Path, pinning: Pinning) -> anyhow::Result<Self> {
        let vendors = Vendors {
            rotor: free_address()?,
            add_update: free_address()?,
            april: free_address()?,
        };
        let mut command = Command::new(program(programs, "upsert-bench-vendor")?);
        for address in [vendors.rotor, vendors.add_update, vendors.april] {
            command.args(["--listen", &address.to_string()]);
        }
        let vendor = start("vendor", command, vendors.april, "/__bench/counts", folder).await?;
        let launcher = Launcher {
            programs: programs.to_owned(),
            pinning,
            vendors,
        };
        Ok(Self {
            launcher,
            vendor,
            launched: Vec::new(),
        })
    }

    /// Starts these as well, each with a folder of its own under `folder`. One that is not installed is none of the run.
    ///
    /// # Errors
    /// One does not start.
    pub async fn add(&mut self, programs: &[Program], folder: &Path) -> anyhow::Result<()> {
        for which in programs {
            let launched = self.launcher.launch(*which, &folder.join(which.name()), "").await?;
            self.launched.push((*which, launched));
        }
        Ok(())
    }

    /// Takes in a program that was started otherwise.
    pub fn adopt(&mut self, which: Program, running: Running) {
        self.launched.push((which, Ok(running)));
    }

    /// A program, or why it is not measured.
    ///
    /// # Errors
    /// It is none of the run.
    pub fn get(&self, which: Program) -> Result<&Running, &str> {
        let found = self.launched.iter().find(|(program, _)| *program == which);
        match found {
            Some((_, Ok(running))) => Ok(running),
            Some((_, Err(reason))) => Err(reason),
            None => Err("not asked for"),
        }
    }

    /// A program that is measured.
    ///
    /// # Errors
    /// It is not.
    pub fn running(&self, which: Program) -> anyhow::Result<&Running> {
        let found = self.get(which);
        found.map_err(|reason| anyhow::anyhow!("{} is not running: {reason}", which.name()))
    }

    /// The gateway.
    ///
    /// # Errors
    /// It is none of the run.
    pub fn gateway(&self) -> anyhow::Result<&Running> {
        self.running(Program::Gateway)
    }

    /// Makes the vendor forget what it holds: its memory is not what is measured.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn forget_vendors_records(&self) -> anyhow::Result<()> {
        vendor::control(self.launcher.vendors.add_update, "reset", "").await?;
        Ok(())
    }

    /// Kills all and waits for their ends.
    pub async fn stop(self) {
        for (_, launched) in self.launched {
            if let Ok(running) = launched {
                running.stop().await;
            }
        }
        self.vendor.stop().await;
    }
}
