//! What is durable of connections and endpoints themselves.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use upsert_api::PausedBy;
use upsert_core::{IncidentId, VendorBlocks};

use crate::{Expect, StoreError};

/// What is durable of a connection's own state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// Whose.
    pub merchant: String,
    /// Which.
    pub connection: String,
    /// Grows with each change, from 1.
    pub revision: u64,
    /// Set while nothing may be sent.
    pub pause: Option<Pause>,
    /// The last day on which endpoints were told that the quota is running out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_told: Option<Date>,
    /// Until when a process that found the vendor failing sends nothing; it is told for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// What the vendor said of waiting to a process; it is told for the others.
    #[serde(default, skip_serializing_if = "VendorBlocks::is_empty")]
    pub blocks: VendorBlocks,
    /// How often somebody has ended what the vendor said of waiting: a process that sees it grow waits no longer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lifts: u64,
    /// The incident that has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// When the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_ended_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl ConnectionRecord {
    /// Of a connection of which nothing is kept yet.
    pub fn new(merchant: &str, connection: &str) -> Self {
        Self {
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            revision: 0,
            pause: None,
            quota_told: None,
            open_until: None,
            blocks: VendorBlocks::default(),
            lifts: 0,
            incident: None,
            incident_ended_at: None,
        }
    }

    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub fn change(&mut self) -> Expect {
        let revision = Some(self.revision).filter(|revision| *revision > 0);
        self.revision += 1;
        Expect::Connection {
            connection: self.connection.clone(),
            revision,
        }
    }
}

/// Why nothing may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who said so; the vendor by 401 or 403.
    pub by: PausedBy,
    /// Since when.
    pub since: Timestamp,
    /// A sentence for operators, free of personal data.
    pub reason: String,
    /// Fingerprint of credentials and configuration at that time: a change of it lifts a pause by the vendor.
    pub fingerprint: String,
}

/// What is durable of an endpoint's own state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// Whose.
    pub merchant: String,
    /// Which.
    pub endpoint: String,
    /// Grows with each change, from 1.
    pub revision: u64,
    /// Set while nothing is sent there.
    pub disabled: Option<Disabled>,
}

impl EndpointRecord {
    /// Begins a change of a row at this revision (0: there is none): whoever writes it says that it is as it was read.
    #[must_use]
    pub fn change(&mut self) -> Expect {
        let revision = Some(self.revision).filter(|revision| *revision > 0);
        self.revision += 1;
        Expect::Endpoint {
            endpoint: self.endpoint.clone(),
            revision,
        }
    }
}

/// Why nothing is sent to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// `endpoint` (it answered 410) or `operator`.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// How often a connection may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one turn to the next; not zero.
    pub every: Duration,
    /// Turns at once after a rest; at least 1.
    pub burst: u32,
}

/// Turns of calls at a connection, that are whoever's who took them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// So many.
    pub count: u32,
    /// When the first of them comes, from now, negative if it has come; each other one comes [`Pace::every`] later. Where
    /// there is none: when the next one could be had.
    pub first_in: SignedDuration,
}

/// What is durable of connections and endpoints.
#[async_trait]
pub trait ConnectionStore: Debug + Send + Sync + 'static {
    /// What is durable of each connection's own state, sorted by merchant and name.
    async fn connections(&self) -> Result<Vec<ConnectionRecord>, StoreError>;

    /// Calls made on this day (UTC), by merchant and connection, sorted so.
    async fn calls(&self, day: Date) -> Result<Vec<(String, String, u32)>, StoreError>;

    /// Takes up to `most` turns at a connection, of those that come within `ahead` from now, by the store's own clock. None:
    /// nobody else works with this store, so whoever asks can count for itself.
    async fn take_turns(
        &self,
        _merchant: &str,
        _connection: &str,
        _pace: Pace,
        _most: u32,
        _ahead: Duration,
    ) -> Result<Option<Turns>, StoreError> {
        Ok(None)
    }

    /// What is durable of each endpoint's own state, sorted by merchant and name.
    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError>;
}
