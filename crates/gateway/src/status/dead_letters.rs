//! Deliveries that have failed for good: how many at each connection, and of what.

use std::collections::BTreeMap;

use serde::Serialize;
use upsert_api::{CausePage, Connection, DeliveryState};
use upsert_core::ErrorKind;

use crate::api::Api;
use crate::show::plain;

/// Those of one connection.
#[derive(Serialize)]
pub(super) struct DeadLetters {
    #[serde(rename = "merchant_id")]
    pub(super) merchant: String,
    pub(super) connection: String,
    count: u64,
    /// How many are of which kind, among the newest that the gateway groups.
    #[serde(rename = "newest_by_error_kind")]
    kinds: BTreeMap<ErrorKind, u64>,
    /// The first line of what the vendor said, of the most frequent cause of which it said something.
    #[serde(rename = "newest_answer", skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

impl DeadLetters {
    /// The connections that have any; each is asked for its causes.
    pub(super) async fn read(api: &Api<'_>, connections: &[Connection]) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::new();
        for connection in connections.iter().filter(|connection| connection.dead_letters > 0) {
            let path = format!("v1/connections/{}/{}/failures", connection.merchant_id, connection.name);
            all.push(Self::of(connection, &api.get(&path).await?.value));
        }
        Ok(all)
    }

    /// What waits or is tried again after an error is among the causes, and is no dead letter.
    pub(super) fn of(connection: &Connection, causes: &CausePage) -> Self {
        let (mut kinds, mut answer) = (BTreeMap::new(), None);
        for cause in &causes.data {
            if let Some(failed) = cause.states.get(&DeliveryState::Failed) {
                *kinds.entry(cause.kind).or_default() += failed;
                answer = answer.or_else(|| cause.sample_answer.clone());
            }
        }
        Self {
            merchant: connection.merchant_id.clone(),
            connection: connection.name.clone(),
            count: connection.dead_letters,
            kinds,
            answer,
        }
    }

    /// Such as `failed of: 2 rejected, 1 transient; the vendor said: 502 Bad Gateway`; none if no cause is known.
    pub(super) fn of_which(&self) -> Option<String> {
        let kinds = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
        let kinds: Vec<String> = kinds.collect();
        let are_all = self.kinds.values().sum::<u64>() >= self.count;
        let newest = if are_all { "failed of" } else { "the newest failed of" };
        let answer = self.answer.as_ref();
        let answer = answer.map_or_else(String::new, |said| format!("; the vendor said: {}", plain(said)));
        (!kinds.is_empty()).then(|| format!("{newest}: {}{answer}", kinds.join(", ")))
    }
}
