//! What the audit trail tells of a configuration that is taken over: which places of it have changed, and never what stands
//! there.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use upsert_api::AuditAction;
use upsert_app::{Act, BY_FILES};
use upsert_settings::Change;

/// Places that one entry names; of more it tells how many there are.
const MOST_PLACES: usize = 50;

/// An entry for the gateway's own places, and one for each merchant's. Where nothing has changed it is told that the files were
/// read.
pub(crate) fn acts_of(generation: u64, changes: &[Change]) -> Vec<Act> {
    let mut by_merchant: BTreeMap<Option<&str>, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        by_merchant.entry(change.merchant.as_deref()).or_default().push(change);
    }
    if by_merchant.is_empty() {
        by_merchant.insert(None, Vec::new());
    }
    let acts = by_merchant.into_iter().map(|(merchant, changes)| {
        let act = match merchant {
            Some(id) => {
                let subject = format!("configuration/merchants/{id}");
                Act::new(BY_FILES, AuditAction::ConfigurationReload, subject).of(id)
            }
            None => Act::new(BY_FILES, AuditAction::ConfigurationReload, "configuration/gateway"),
        };
        let places: Vec<Json> = changes
            .iter()
            .take(MOST_PLACES)
            .map(|change| told(change).into())
            .collect();
        let act = act.with("generation", generation).with("changed", places);
        match changes.len().saturating_sub(MOST_PLACES) {
            0 => act,
            more => act.with("more", more),
        }
    });
    acts.collect()
}

/// The place, and whether it is new or gone. A merchant that is new or gone has no place of its own.
fn told(change: &Change) -> String {
    let place = if change.path.is_empty() {
        "the whole"
    } else {
        &change.path
    };
    match (&change.from, &change.to) {
        (None, Some(_)) => format!("{place} (new)"),
        (Some(_), None) => format!("{place} (gone)"),
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(merchant: Option<&str>, path: &str, from: Option<&str>, to: Option<&str>) -> Change {
        Change {
            merchant: merchant.map(str::to_owned),
            path: path.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        }
    }

    #[test]
    fn each_merchant_is_told_of_its_own_places_and_nobody_of_a_value() {
        let canary = Some("canary");
        let acts = acts_of(
            4,
            &[
                change(None, "server.body_limit", canary, Some("32768")),
                change(Some("acme"), "connections.rotor", None, canary),
                change(Some("acme"), "sync_deadline", canary, None),
                change(Some("globex"), "", None, canary),
            ],
        );
        let told = format!("{acts:?}");
        assert!(!told.contains("canary") && !told.contains("32768"), "{told}");
        for (act, wanted) in acts.iter().zip([
            ("configuration/gateway", vec!["server.body_limit"]),
            (
                "configuration/merchants/acme",
                vec!["connections.rotor (new)", "sync_deadline (gone)"],
            ),
            ("configuration/merchants/globex", vec!["the whole (new)"]),
        ]) {
            let of = |subject: &str| Act::new(BY_FILES, AuditAction::ConfigurationReload, subject);
            let expected = of(wanted.0).with("generation", 4).with("changed", wanted.1);
            let expected = match wanted.0.strip_prefix("configuration/merchants/") {
                Some(id) => expected.of(id),
                None => expected,
            };
            assert_eq!(*act, expected);
        }
    }

    #[test]
    fn files_that_say_the_same_were_read_and_of_many_places_the_rest_is_counted() {
        let nothing = acts_of(2, &[]);
        assert_eq!(nothing.len(), 1);
        let many: Vec<Change> = (0..60)
            .map(|number| change(None, &format!("p{number}"), None, None))
            .collect();
        let told = format!("{:?}", acts_of(2, &many));
        assert!(
            told.contains("p49") && !told.contains("p50") && told.contains("10"),
            "{told}"
        );
    }
}
