//! How a customer came to be: each version with what changed, and what became of it at each connection.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use upsert_api::{Delivery, HistoryEntry, ListedUpsert, Page, Texts, Through};
use upsert_core::{CustomerId, UpsertId};

use crate::api::{Answered, Api};
use crate::show::delivery::{meaning, state};
use crate::show::{line, or_dash, plain, wrapped};

/// So much is shown unless all of it is asked for.
const NEWEST: usize = 50;

pub(super) struct History {
    pub(super) versions: Answered<Page<HistoryEntry>>,
    pub(super) upserts: Answered<Page<ListedUpsert>>,
}

/// The newest upserts, and the newest versions. Every version is an upsert's.
pub(super) async fn read(api: &Api<'_>, customer: CustomerId, all: bool) -> anyhow::Result<History> {
    let most = (!all).then_some(NEWEST);
    let of_customer = Texts::from([("customer_id".to_owned(), customer.to_string())]);
    let path = format!("v1/customers/{customer}/history");
    Ok(History {
        upserts: api.gather("v1/upserts", &of_customer, None, most).await?,
        versions: api.gather(&path, &Texts::new(), None, most).await?,
    })
}

impl History {
    pub(super) fn text(&self) -> String {
        text_of(&self.versions.value.data, &self.upserts.value)
    }
}

fn text_of(versions: &[HistoryEntry], upserts: &Page<ListedUpsert>) -> String {
    // Ids are in the order of time: what is older than the upserts that were read is told with the rest.
    let oldest = upserts.data.last().filter(|_| upserts.next_cursor.is_some());
    let is_covered = |id: &UpsertId| oldest.is_none_or(|oldest| *id >= oldest.upsert_id);
    let mut by_upsert: BTreeMap<UpsertId, Change<'_>> = BTreeMap::new();
    for version in versions {
        if let Some(id) = version.upsert_id.filter(is_covered) {
            by_upsert.entry(id).or_default().version = Some(version);
        }
    }
    for upsert in &upserts.data {
        by_upsert.entry(upsert.upsert_id).or_default().upsert = Some(upsert);
    }
    let mut shown = String::from("\n\nHistory, newest first:");
    for (id, change) in by_upsert.iter().rev() {
        shown.push('\n');
        line(&mut shown, 0, &change.headline(*id));
        change.tell(&mut shown);
    }
    if upserts.next_cursor.is_some() {
        shown.push_str("\n\nThere is more before this: --all shows it.");
    }
    shown
}

/// What is known of one upsert. It has no version where nothing changed, and is itself not there where it is kept no more.
#[derive(Default)]
struct Change<'a> {
    version: Option<&'a HistoryEntry>,
    upsert: Option<&'a ListedUpsert>,
}

impl Change<'_> {
    fn headline(&self, id: UpsertId) -> String {
        let what = match self.version {
            Some(version) if version.refused => format!("version {}, taken back", version.version),
            Some(version) => format!("version {}", version.version),
            None => "no new version".to_owned(),
        };
        let of_version = self.version.map(|version| (version.at, &version.by));
        let of_upsert = self.upsert.map(|upsert| (upsert.created_at, &upsert.by));
        let (at, by) = of_version.or(of_upsert).unzip();
        let (at, by) = (at.map(plain).unwrap_or_default(), by.map(plain).unwrap_or_default());
        // A request of its own is the usual way.
        let through = self.upsert.and_then(|upsert| upsert.through);
        let through = through.filter(|through| *through != Through::Request);
        let through = through.map_or_else(String::new, |through| format!(" ({through})"));
        let state = self
            .upsert
            .map_or_else(String::new, |upsert| format!(": {}", upsert.state));
        format!("{at} {what} by {by}{through}\n{id}{state}")
    }

    fn tell(&self, shown: &mut String) {
        for change in self.version.iter().flat_map(|version| &version.changes) {
            let (at, from, to) = (plain(&change.pointer), value(&change.from), value(&change.to));
            line(shown, 2, &format!("{at}: {from} -> {to}"));
        }
        let of_upsert = self.upsert.map(|upsert| &upsert.ignored);
        let ignored = of_upsert.or(self.version.map(|version| &version.ignored));
        for ignored in ignored.into_iter().flatten() {
            let (at, detail) = (plain(&ignored.pointer), plain(&ignored.detail));
            line(shown, 2, &format!("{at} left out: {detail}"));
        }
        for delivery in self.upsert.iter().flat_map(|upsert| &upsert.deliveries) {
            line(shown, 2, &outcome(delivery));
            why(shown, delivery);
        }
    }
}

fn value(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        value => plain(value),
    }
}

/// The receipt in one line.
fn outcome(delivery: &Delivery) -> String {
    let mut shown = format!("{}: {}", plain(&delivery.connection), state(delivery));
    if let Some(outcome) = delivery.outcome {
        let evidence = or_dash(delivery.evidence);
        shown = format!("{shown}, {outcome} (evidence: {evidence})");
    }
    for (fate, pointers) in [
        ("confirmed", &delivery.fields.confirmed),
        ("unconfirmed", &delivery.fields.unconfirmed),
    ] {
        if !pointers.is_empty() {
            shown = format!("{shown}, {} {fate}", pointers.len());
        }
    }
    shown
}

fn why(shown: &mut String, delivery: &Delivery) {
    for differs in &delivery.fields.differs {
        let (at, kept) = (plain(&differs.pointer), plain(&differs.kept));
        line(shown, 4, &format!("{at} differs: the vendor keeps {kept}"));
    }
    if let Some(error) = &delivery.error {
        let why = format!("{}: {} ({})", meaning(error), plain(&error.detail), delivery.id);
        line(shown, 0, &wrapped("    ", &why));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::{self, whole};

    const FIRST: &str = "ups_06GZW88GRDSBF772HB0WJ89T10";
    const SECOND: &str = "ups_06GZW88GRDSBF772HB0WJ89T20";
    const THIRD: &str = "ups_06GZW88GRDSBF772HB0WJ89T30";

    fn version(more: Json) -> HistoryEntry {
        let usual = json!({ "version": 1, "at": "2026-01-01T00:00:00Z", "by": "crm", "upsert_id": FIRST, "refused": false,
            "changes": [], "ignored": [] });
        whole(usual, more)
    }

    fn upsert(more: Json) -> ListedUpsert {
        let usual = json!({ "upsert_id": FIRST, "state": "succeeded", "merchant_id": "acme",
            "customer_id": samples::CUSTOMER, "version": 1, "new_customer": false, "changed": true, "rolled_back": false,
            "by": "crm", "through": "request", "created_at": "2026-01-01T00:00:00Z", "ended_at": null, "ignored": [],
            "deliveries": [] });
        whole(usual, more)
    }

    #[test]
    fn a_version_stands_with_its_changes_its_receipts_and_what_a_replay_did_later() {
        let versions = [version(
            json!({ "changes": [{ "pointer": "/email", "from": null, "to": "a@x.example" }] }),
        )];
        let accepted = samples::delivery(
            json!({ "state": "succeeded", "outcome": "created", "evidence": "vendor_said",
            "fields": { "confirmed": ["/email"], "differs": [], "unconfirmed": [] } }),
        );
        let refused =
            samples::delivery(json!({ "state": "superseded", "error": samples::error(json!({ "code": "E1" })) }));
        let upserts = vec![
            upsert(
                json!({ "upsert_id": SECOND, "by": "ops", "through": "replay", "created_at": "2026-01-02T00:00:00Z",
                "deliveries": [accepted] }),
            ),
            upsert(json!({ "state": "failed", "deliveries": [refused] })),
        ];
        let id = samples::DELIVERY;
        assert_eq!(
            text_of(&versions, &Page::whole(upserts)),
            format!(
                "\n\nHistory, newest first:\n\n2026-01-02T00:00:00Z no new version by ops (replay)\n{SECOND}: \
                 succeeded\n  crm: succeeded, created (evidence: vendor_said), 1 confirmed\n\n2026-01-01T00:00:00Z version \
                 1 by crm\n{FIRST}: failed\n  /email: nothing -> \"a@x.example\"\n  crm: superseded\n    rejected E1: no \
                 ({id})"
            )
        );
    }

    #[test]
    fn versions_older_than_the_upserts_that_were_read_wait_for_all() {
        let versions = [
            version(json!({ "version": 2, "upsert_id": THIRD })),
            version(json!({ "version": 1, "upsert_id": FIRST })),
        ];
        let upserts = Page {
            data: vec![
                upsert(json!({ "upsert_id": THIRD })),
                upsert(json!({ "upsert_id": SECOND })),
            ],
            next_cursor: Some("c".to_owned()),
        };
        let text = text_of(&versions, &upserts);
        assert!(text.contains("version 2") && !text.contains("version 1"), "{text}");
        assert!(text.ends_with("--all shows it."), "{text}");
    }
}
