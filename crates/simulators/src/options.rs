//! What can be set when a simulator starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::add_update::AddUpdateRules;
use crate::april::AprilRules;
use crate::clock::{Clock, system_clock};
use crate::hooks::Hook;
use crate::journal::JournalDepth;
use crate::rewrites::Rewrites;
use crate::rotor::RotorRules;

/// How a simulator listens, waits and remembers. Only the rules of the started vendor count.
#[derive(Clone)]
pub struct SimulatorOptions {
    /// Where to listen; `127.0.0.1:0` (the default) takes a free port.
    pub listen: SocketAddr,
    /// How long a write waits between its look-up and its insert, as a database without a lock would (default 3 ms).
    /// Two writers of the same new person who meet in it make two records. Zero closes the window: look-up and
    /// insert are then one step.
    pub race_window: Duration,
    /// How much of the journal is kept in memory (default all of it).
    pub journal: JournalDepth,
    /// Threads that answer (default 1).
    pub workers: usize,
    /// Seed of the dice that [`crate::Fault::probability`] and [`Hook::shuffle_ms`] throw.
    pub fault_seed: u64,
    /// Time for stamps and for Rotor's day.
    pub clock: Clock,
    /// Who is told of changes (default nobody).
    pub hooks: Vec<Hook>,
    /// Which fields are stored otherwise than sent (default none).
    pub rewrites: Rewrites,
    /// Rotor's assumptions and keys.
    pub rotor: RotorRules,
    /// The assumptions and keys of add-update.
    pub add_update: AddUpdateRules,
    /// April's assumptions and keys.
    pub april: AprilRules,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            race_window: Duration::from_millis(3),
            journal: JournalDepth::All,
            workers: 1,
            fault_seed: 0,
            clock: system_clock(),
            hooks: Vec::new(),
            rewrites: Rewrites::default(),
            rotor: RotorRules::default(),
            add_update: AddUpdateRules::default(),
            april: AprilRules::default(),
        }
    }
}

impl SimulatorOptions {
    /// For load: no race window, no daily limit, a journal that only counts, two threads.
    pub fn quick() -> Self {
        Self {
            race_window: Duration::ZERO,
            journal: JournalDepth::CountOnly,
            workers: 2,
            rotor: RotorRules {
                daily_limit: None,
                ..RotorRules::default()
            },
            ..Self::default()
        }
    }
}
