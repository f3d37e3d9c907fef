//! Stateful fakes of the three vendors, over real HTTP, with faults on demand and a journal of what they got.
//!
//! Everything here is written from the vendors' pages alone (`[S0]`…`[S4]` name them) and imports neither the core nor a
//! provider, so that a mistake of ours cannot agree with itself. Where a page is silent, the assumption is a public
//! member of [`RotorRules`], [`AddUpdateRules`] or [`AprilRules`].
//!
//! They are stricter than the vendors probably are: a field no page lists, a JSON `null` and a wrong type are refused,
//! since each of them would be a mistake of the sender.
//!
//! ```no_run
//! use upsert_simulators::{Cut, Effect, Fault, Simulator, SimulatorOptions, Vendor};
//!
//! # fn main() -> std::io::Result<()> {
//! let rotor = Simulator::start(Vendor::Rotor, SimulatorOptions::default())?;
//! rotor.faults().add(Fault::times(2, Effect::Cut { at: Cut::AfterWrite }));
//! // … send something to rotor.base_url() …
//! assert_eq!(rotor.journal().counts().writes, 0);
//! # Ok(())
//! # }
//! ```
//!
//! They do what real systems do besides: somebody edits a record in the vendor's own screen ([`Running::edit`]), hooks
//! are told of every change by signed events ([`Running::hooks`]), and values are stored otherwise than they were sent
//! ([`Running::rewrite`]).
//!
//! The same over HTTP, under `/__sim/` of each simulator: see [`control`].
//!
//! To add a vendor: one file of rules like `add_update.rs`, and its lines in `vendor_rules.rs`.

mod add_update;
mod april;
mod april_answers;
mod april_credentials;
mod april_reads;
mod broken;
mod checks;
mod clock;
pub mod control;
mod edits;
mod effects;
mod exchange;
mod faults;
mod faults_help;
mod hook;
mod hook_journal;
mod hooks;
mod journal;
mod options;
mod posting;
mod record;
mod records;
mod rewrites;
mod rotor;
mod rotor_answers;
mod rotor_reads;
mod server;
mod shelf;
mod signing;
mod sim;
mod vendor;
mod vendor_rules;
mod wire;

pub use april_credentials::AprilCredential;
pub use clock::{Clock, system_clock};
pub use effects::{Answer, Cut, Effect, When};
pub use faults::{Fault, Faults, Only};
pub use faults_help::FAULTS_HELP;
pub use hook::{Hook, HookTime};
pub use hook_journal::{HookCounts, HookEntry, Told};
pub use hooks::Hooks;
pub use journal::{Answered, Counts, Entry, Journal, JournalDepth, Write};
pub use options::{AddUpdateAuth, AddUpdateRules, AprilRules, RotorKey, RotorRules, SimulatorOptions};
pub use record::Record;
pub use rewrites::{Rewrite, Rewrites};
pub use server::{Running, Simulator};
pub use vendor::Vendor;
