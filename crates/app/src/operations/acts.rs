//! What operators do, as the audit trail tells it: by ids and configured names, never by what says who somebody is.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use upsert_api::{AuditAction, Direction, Texts, is_code};
use upsert_core::EventId;
use upsert_store::DeliveryRecord;

use crate::audit::act::Act;

pub(crate) fn of_connection(by: &str, action: AuditAction, merchant: &str, name: &str) -> Act {
    Act::new(by, action, format!("connections/{merchant}/{name}")).of(merchant)
}

pub(crate) fn of_endpoint(by: &str, action: AuditAction, merchant: &str, name: &str) -> Act {
    Act::new(by, action, format!("endpoints/{merchant}/{name}")).of(merchant)
}

pub(crate) fn of_delivery(by: &str, action: AuditAction, delivery: &DeliveryRecord) -> Act {
    let act = Act::new(by, action, format!("deliveries/{}", delivery.id)).of(&delivery.merchant);
    let act = act.with("connection", delivery.connection.as_str());
    act.with("customer_id", delivery.customer.to_string())
}

/// Of one of this merchant's, of this source or endpoint.
pub(crate) fn of_event(
    by: &str,
    action: AuditAction,
    (direction, id): (Direction, EventId),
    merchant: &str,
    place: &str,
) -> Act {
    let act = Act::new(by, action, format!("events/{direction}/{id}")).of(merchant);
    match direction {
        Direction::In => act.with("source", place),
        Direction::Out => act.with("endpoint", place),
    }
}

/// Of many, by a filter: an act for each merchant that has any, with how many of its own they are.
pub(crate) fn of_many<'a>(
    by: &str,
    action: AuditAction,
    subject: &str,
    filter: Texts,
    merchants: impl Iterator<Item = &'a str>,
) -> Vec<Act> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for merchant in merchants {
        *counts.entry(merchant).or_default() += 1;
    }
    let act = Act::new(by, action, subject).with("filter", told(filter));
    let acts = counts.into_iter();
    acts.map(|(merchant, count)| act.clone().of(merchant).with("count", count))
        .collect()
}

/// What may say who somebody is is only told to be there: a sender's id of an event, and what is no code of a vendor's.
fn told(filter: Texts) -> Map<String, Json> {
    let told = |(name, text): (String, String)| {
        let is_open = match name.as_str() {
            "event_id" => false,
            "error_code" => is_code(&text),
            _ => true,
        };
        let text = if is_open { text } else { "given".to_owned() };
        (name, text.into())
    };
    filter.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_each_merchant_is_told_of_its_own_and_nobody_of_what_may_say_who_somebody_is() {
        let texts = [
            ("state", "failed"),
            ("event_id", "canary@example.com"),
            ("error_code", "canary said no"),
        ];
        let filter: Texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let merchants = ["acme", "globex", "acme"].into_iter();
        let acts = of_many("ann", AuditAction::EventDiscard, "events/in", filter, merchants);
        let told: Vec<_> = acts
            .iter()
            .map(|act| (act.merchant.as_deref(), act.detail().unwrap()))
            .collect();
        let filter = r#""filter":{"error_code":"given","event_id":"given","state":"failed"}"#;
        let wanted = [("acme", 2), ("globex", 1)]
            .map(|(merchant, count)| (Some(merchant), format!("{{\"count\":{count},{filter}}}")));
        assert_eq!(told, wanted);
    }
}
