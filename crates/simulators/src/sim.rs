//! One simulated vendor with all that belongs to it.

use std::io;

use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::faults::Faults;
use crate::hook::Hook;
use crate::hooks::{By, Held, Hooks};
use crate::journal::Journal;
use crate::options::SimulatorOptions;
use crate::record::{Record, Written};
use crate::rewrites::{Rewrites, Standing};
use crate::vendor::Vendor;
use crate::vendor_rules::VendorRules;

/// One simulator's state, shared by its threads.
pub(crate) struct Sim {
    pub(crate) rules: VendorRules,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) hooks: Hooks,
    pub(crate) rewrites: Standing,
    clock: Clock,
    first_hooks: Vec<Hook>,
    first_rewrites: Rewrites,
}

impl Sim {
    pub(crate) fn new(vendor: Vendor, options: SimulatorOptions) -> io::Result<Self> {
        let sim = Self {
            rules: VendorRules::new(vendor, &options),
            faults: Faults::new(options.fault_seed),
            journal: Journal::new(vendor, options.journal, options.clock.clone()),
            hooks: Hooks::new(options.journal, options.clock.clone(), options.fault_seed),
            rewrites: Standing::default(),
            clock: options.clock,
            first_hooks: options.hooks,
            first_rewrites: options.rewrites,
        };
        sim.hooks.set(sim.first_hooks.clone())?;
        sim.rewrite(sim.first_rewrites.clone())?;
        Ok(sim)
    }

    /// Sets what is rewritten, unless the vendor has no such field.
    pub(crate) fn rewrite(&self, rewrites: Rewrites) -> io::Result<()> {
        if let Some(unknown) = rewrites.fields.keys().find(|field| !self.rules.knows(field)) {
            let problem = format!("{unknown}: no text field of this vendor");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        self.rewrites.set(rewrites);
        Ok(())
    }

    pub(crate) fn seed(&self, account: &str, body: Map<String, Value>) -> String {
        let written = self.rules.seed(account, body);
        drop(self.tell(&written, By::Hand));
        written.record.id
    }

    pub(crate) fn edit(&self, id: &str, patch: &Map<String, Value>) -> Option<Record> {
        let written = self.rules.records().edit(id, (self.clock)(), patch)?;
        drop(self.tell(&written, By::Hand));
        Some(written.record)
    }

    /// Tells the hooks of a change.
    pub(crate) fn tell(&self, written: &Written, by: By) -> Held {
        self.hooks.tell(written, by, || self.rules.told(&written.record))
    }

    /// Forgets records, faults, journals and the day's count; hooks and rewrites are those of the start again.
    pub(crate) fn reset(&self) {
        self.hooks.reset();
        // They were found right at the start.
        let _ = self.hooks.set(self.first_hooks.clone());
        self.rewrites.set(self.first_rewrites.clone());
        self.faults.clear();
        self.rules.records().clear();
        self.rules.new_rate_window();
        self.journal.clear();
    }
}
