//! Deliveries that have failed, counted by connection and cause.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::api::Api;
use crate::show::{list, text};

/// Counted up to this: whoever has more needs no better number.
const MOST: usize = 1_000;

type Causes = BTreeMap<String, u64>;

#[derive(Default)]
pub(super) struct DeadLetters {
    by_connection: BTreeMap<(String, String), Causes>,
    /// Whether there are more than were counted.
    pub(super) has_more: bool,
}

impl DeadLetters {
    pub(super) async fn read(api: &Api<'_>) -> anyhow::Result<Self> {
        let failed = [("state", "failed".to_owned())];
        let page = api.gather("v1/deliveries", &failed, None, Some(MOST)).await?;
        Ok(Self::of(&page))
    }

    pub(super) fn of(page: &Json) -> Self {
        let mut counted = Self {
            has_more: page["next_cursor"].is_string(),
            ..Self::default()
        };
        for delivery in list(page, "data") {
            let place = (text(delivery, "merchant_id"), text(delivery, "connection"));
            let causes = counted.by_connection.entry(place).or_default();
            *causes.entry(text(&delivery["error"], "kind")).or_default() += 1;
        }
        counted
    }

    /// Merchant, connection, how many, and of which kinds.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &str, u64, String)> {
        self.by_connection.iter().map(|((merchant, connection), causes)| {
            let kinds: Vec<String> = causes.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            (
                merchant.as_str(),
                connection.as_str(),
                causes.values().sum(),
                kinds.join(", "),
            )
        })
    }

    pub(super) fn to_json(&self) -> Json {
        let data = self.by_connection.iter().map(|((merchant, connection), causes)| {
            let count: u64 = causes.values().sum();
            json!({ "merchant_id": merchant, "connection": connection, "count": count, "by_error_kind": causes })
        });
        json!({ "data": data.collect::<Vec<_>>(), "more": self.has_more })
    }
}
