//! Deliveries that have failed for good: how many at each connection, and of what.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::api::Api;
use crate::show::{list, number, text};

type Kinds = BTreeMap<String, u64>;

/// Those of one connection.
pub(super) struct DeadLetters {
    pub(super) merchant: String,
    pub(super) connection: String,
    pub(super) count: u64,
    /// How many are of which kind, among the newest that the gateway groups.
    kinds: Kinds,
}

impl DeadLetters {
    /// The connections that have any; each is asked for its causes.
    pub(super) async fn read(api: &Api<'_>, connections: &Json) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::new();
        for connection in list(connections, "data") {
            if number(connection, "dead_letters") > 0 {
                let (merchant, name) = (text(connection, "merchant_id"), text(connection, "name"));
                let path = format!("v1/connections/{merchant}/{name}/failures");
                all.push(Self::of(connection, &api.get(&path, &[]).await?));
            }
        }
        Ok(all)
    }

    /// What waits or is tried again after an error is among the causes, and is no dead letter.
    pub(super) fn of(connection: &Json, causes: &Json) -> Self {
        let mut kinds = Kinds::new();
        for cause in list(causes, "data") {
            let failed = number(&cause["states"], "failed");
            if failed > 0 {
                *kinds.entry(text(cause, "kind")).or_default() += failed;
            }
        }
        Self {
            merchant: text(connection, "merchant_id"),
            connection: text(connection, "name"),
            count: number(connection, "dead_letters"),
            kinds,
        }
    }

    /// Such as ` (2 rejected, 1 transient)`; nothing if no cause is known.
    pub(super) fn of_which(&self) -> String {
        let kinds: Vec<String> = self
            .kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let newest = if self.kinds.values().sum::<u64>() < self.count {
            "of the newest: "
        } else {
            ""
        };
        if kinds.is_empty() {
            String::new()
        } else {
            format!(" ({newest}{})", kinds.join(", "))
        }
    }

    pub(super) fn to_json(&self) -> Json {
        json!({
            "merchant_id": self.merchant,
            "connection": self.connection,
            "count": self.count,
            "newest_by_error_kind": self.kinds,
        })
    }
}
