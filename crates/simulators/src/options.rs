//! What can be set when a simulator starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::april_credentials::AprilCredential;
use crate::clock::{Clock, system_clock};
use crate::hook::Hook;
use crate::journal::JournalDepth;
use crate::rewrites::Rewrites;

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

/// Which headers prove who calls; the vendor's pages contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddUpdateAuth {
    /// `x-api-key`, as the reference has it \[S3\].
    #[default]
    XApiKey,
    /// `Authorization: Bearer`, as the guides say.
    Bearer,
    /// Both of them.
    Both,
}

/// Keys and assumptions.
#[derive(Clone)]
pub struct AddUpdateRules {
    /// The keys that are known, for every merchant; default `sim-key`.
    pub keys: Vec<String>,
    /// Where the key is expected. `x-merchant-id` is always required.
    pub auth: AddUpdateAuth,
    /// The status of a creation (default 200: no page tells 200 from 201). An update answers 200.
    pub created_status: u16,
    /// The member that holds the list of `GET /customers`; without one (default) the list is bare.
    pub list_member: Option<String>,
}

impl Default for AddUpdateRules {
    fn default() -> Self {
        let keys = vec!["sim-key".to_owned()];
        Self {
            keys,
            auth: AddUpdateAuth::XApiKey,
            created_status: 200,
            list_member: None,
        }
    }
}

/// Credentials and assumptions.
#[derive(Clone)]
pub struct AprilRules {
    /// The credentials that are known; default `sandbox_sk_sim` of `mcht_acme`, `sandbox_api_sim` for every merchant, and
    /// `sandbox_pk_sim`.
    pub credentials: Vec<AprilCredential>,
    /// Asks for phone and family name of a consumer, as the old API did (default true).
    pub strict: bool,
    /// The wrapper of an organisation, which no page names (default `UpsertOrganisationCustomer`).
    pub organisation_wrapper: String,
    /// Refuses with 409 a reference that another consumer of the merchant has (default false: no page says so).
    pub unique_reference: bool,
    /// Whether the items of the list are wrapped as a single customer is (default false).
    pub wrapped_items: bool,
}

impl Default for AprilRules {
    fn default() -> Self {
        let credentials = vec![
            AprilCredential::Secret {
                token: "sandbox_sk_sim".to_owned(),
                merchant: "mcht_acme".to_owned(),
            },
            AprilCredential::Marketplace {
                token: "sandbox_api_sim".to_owned(),
                merchants: Vec::new(),
            },
            AprilCredential::Public {
                token: "sandbox_pk_sim".to_owned(),
            },
        ];
        Self {
            credentials,
            strict: true,
            organisation_wrapper: "UpsertOrganisationCustomer".to_owned(),
            unique_reference: false,
            wrapped_items: false,
        }
    }
}

/// An API key of a company.
#[derive(Clone)]
pub struct RotorKey {
    /// The value of `x-api-key`, of the shape `rotor_<keyId>_<keySecret>`.
    pub key: String,
    /// The company whose customers it sees: the account of its records.
    pub company: String,
    /// Granted scopes. Assumed: `customers:write` for the upsert, `customers:read` for reads.
    pub scopes: Vec<String>,
}

impl RotorKey {
    /// A key that may read and write.
    pub fn new(key: impl Into<String>, company: impl Into<String>) -> Self {
        let scopes = ["customers:read", "customers:write"].map(str::to_owned).to_vec();
        Self {
            key: key.into(),
            company: company.into(),
            scopes,
        }
    }
}

/// Keys and assumptions.
#[derive(Clone)]
pub struct RotorRules {
    /// The keys that are known; default `rotor_sim_secret` of `company-1`.
    pub keys: Vec<RotorKey>,
    /// Requests per key and UTC day, reads and `auth/test` included (default 1000, the number in S1's 429); none for no
    /// limit. That the day turns at 00:00 UTC is an assumption.
    pub daily_limit: Option<u64>,
    /// Whether phone and e-mail find archived customers too (assumed: yes).
    pub matches_archived: bool,
}

impl Default for RotorRules {
    fn default() -> Self {
        let keys = vec![RotorKey::new("rotor_sim_secret", "company-1")];
        Self {
            keys,
            daily_limit: Some(1000),
            matches_archived: true,
        }
    }
}
