//! The whole configuration, one unchanging value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::api_keys::{self, ApiKey, report_unlike_namesakes};
use crate::environment::Secrets;
use crate::members::Member;
use crate::merchant::{Merchant, report_repeats};
use crate::problems::Problem;
use crate::retention::{self, Retention};
use crate::section::{Section, all_or_none};
use crate::server::{self, Server};
use crate::store::{self, Store};
use crate::telemetry::{self, Telemetry};

/// The members of `gateway.toml`.
pub(crate) const MEMBERS: &[Member] = &[
    Member::or("server", "{}").section(server::MEMBERS),
    Member::or("store", "{}").section(store::MEMBERS),
    Member::or("retention", "{}").section(retention::MEMBERS),
    Member::or("telemetry", "{}").section(telemetry::MEMBERS),
    Member::or("api_keys", "[]").sections(api_keys::MEMBERS),
];

/// Everything that was configured, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// How the gateway serves.
    pub server: Server,
    /// Where it remembers.
    pub store: Store,
    /// How long it remembers.
    pub retention: Retention,
    /// What is logged, and where traces go.
    pub telemetry: Telemetry,
    /// Who may call.
    pub api_keys: Vec<ApiKey>,
    /// The merchants by id.
    pub merchants: BTreeMap<String, Merchant>,
    /// Hex of a SHA-256 over the names and contents of `files`. Secret files and the environment are not in it.
    #[serde(skip)]
    pub fingerprint: String,
    /// The files that were read, in the order of reading.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// The files that references to secrets name.
    #[serde(skip)]
    pub secret_files: Vec<PathBuf>,
    /// What was left out and does no harm.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
    /// Whether every secret has its value. Settings whose secrets were skipped are for checking, not for serving.
    #[serde(skip)]
    pub secrets_resolved: bool,
}

impl Settings {
    /// The merchant of this id.
    pub fn merchant(&self, id: &str) -> Option<&Merchant> {
        self.merchants.get(id)
    }

    /// What stands in `gateway.toml`, and these merchants: `ids` are those that the files describe, none where some could
    /// not be read. What is known of the files is left to whoever has them.
    pub(crate) fn read(
        section: &Section<'_>,
        ids: Option<&[&str]>,
        merchants: Option<BTreeMap<String, Merchant>>,
    ) -> Option<Self> {
        report_repeats(&section.spot, "api_keys", "key_sha256");
        let server = section.section("server", Server::read);
        let idempotency_keep = server.as_ref().map(|server| server.idempotency_keep);
        let store = section.section("store", Store::read);
        // Once credentials can be sealed, merchants may live in the store, and nobody knows which.
        let ids = ids.filter(|_| store.as_ref().is_none_or(|store| store.encryption_keys.is_empty()));
        all_or_none!(Self {
            server,
            retention: section.section("retention", |section| Retention::read(section, idempotency_keep)),
            store,
            telemetry: section.section("telemetry", Telemetry::read),
            api_keys: section
                .sections("api_keys", |key| ApiKey::read(key, ids))
                .inspect(|keys| {
                    report_unlike_namesakes(section.spot.reading, keys);
                }),
            merchants,
            fingerprint: Some(String::new()),
            files: Some(Vec::new()),
            secret_files: Some(Vec::new()),
            warnings: Some(Vec::new()),
            secrets_resolved: Some(section.spot.reading.secrets == Secrets::Resolve),
        })
    }

    /// The effective configuration, defaults and overrides included, references in the place of secrets.
    pub fn effective(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
