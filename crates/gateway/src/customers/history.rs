//! How a customer came to be: each version with what changed, and what became of it at each connection.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::api::Api;
use crate::show::{given, line, list, printable, text, wrapped};

/// So much is shown unless all of it is asked for.
const NEWEST: usize = 50;

pub(super) struct History {
    pub(super) versions: Vec<Json>,
    pub(super) versions_cursor: Option<String>,
    pub(super) upserts: Vec<Json>,
    pub(super) next_cursor: Option<String>,
}

/// The newest upserts, and the newest versions. Every version is an upsert's.
pub(super) async fn read(api: &Api<'_>, customer: &str, all: bool) -> anyhow::Result<History> {
    let most = (!all).then_some(NEWEST);
    let of_customer = [("customer_id", customer.to_owned())];
    let mut upserts = api.gather("v1/upserts", &of_customer, None, most).await?;
    let path = format!("v1/customers/{customer}/history");
    let mut versions = api.gather(&path, &[], None, most).await?;
    Ok(History {
        versions_cursor: given(&versions, "next_cursor"),
        versions: taken(&mut versions),
        next_cursor: given(&upserts, "next_cursor"),
        upserts: taken(&mut upserts),
    })
}

fn taken(page: &mut Json) -> Vec<Json> {
    match page["data"].take() {
        Json::Array(entries) => entries,
        _ => Vec::new(),
    }
}

impl History {
    /// Whether its upsert is among those that were read: ids are in the order of time.
    fn is_covered(&self, version: &Json) -> bool {
        let oldest = self.upserts.last().filter(|_| self.next_cursor.is_some());
        oldest.is_none_or(|oldest| text(version, "upsert_id") >= text(oldest, "upsert_id"))
    }

    pub(super) fn text(&self) -> String {
        let mut by_upsert: BTreeMap<String, (Option<&Json>, Option<&Json>)> = BTreeMap::new();
        for version in self.versions.iter().filter(|version| self.is_covered(version)) {
            by_upsert.entry(text(version, "upsert_id")).or_default().0 = Some(version);
        }
        for upsert in &self.upserts {
            by_upsert.entry(text(upsert, "upsert_id")).or_default().1 = Some(upsert);
        }
        let mut shown = String::from("\n\nHistory, newest first:");
        for (id, (version, upsert)) in by_upsert.iter().rev() {
            shown.push('\n');
            line(&mut shown, 0, &headline(id, *version, *upsert));
            if let Some(version) = version {
                changes(&mut shown, list(version, "changes"));
            }
            // The upsert says it too where nothing changed, and a version where the upsert is kept no more.
            let said = upsert.as_ref().or(version.as_ref());
            for ignored in said.iter().flat_map(|said| list(said, "ignored")) {
                let (at, detail) = (text(ignored, "pointer"), text(ignored, "detail"));
                line(&mut shown, 2, &format!("{at} left out: {detail}"));
            }
            for delivery in upsert.iter().flat_map(|upsert| list(upsert, "deliveries")) {
                line(&mut shown, 2, &outcome(delivery));
                why(&mut shown, delivery);
            }
        }
        if self.next_cursor.is_some() {
            shown.push_str("\n\nThere is more before this: --all shows it.");
        }
        shown
    }
}

fn headline(id: &str, version: Option<&Json>, upsert: Option<&Json>) -> String {
    let what = match version {
        Some(version) if version["refused"] == true => format!("version {}, taken back", text(version, "version")),
        Some(version) => format!("version {}", text(version, "version")),
        None => "no new version".to_owned(),
    };
    let (by, at) = match (version, upsert) {
        (Some(version), _) => (text(version, "by"), text(version, "at")),
        (None, Some(upsert)) => (text(upsert, "by"), text(upsert, "created_at")),
        (None, None) => ("-".to_owned(), "-".to_owned()),
    };
    let state = upsert.map_or_else(String::new, |upsert| format!(": {}", text(upsert, "state")));
    // A request of its own is the usual way, and an upsert that is kept no more does not say.
    let through = upsert
        .and_then(|upsert| given(upsert, "through"))
        .filter(|through| through != "request");
    let through = through.map_or_else(String::new, |through| format!(" ({through})"));
    format!("{at} {what} by {by}{through}\n{id}{state}")
}

fn changes(shown: &mut String, changes: &[Json]) {
    for change in changes {
        let value = |name: &str| match &change[name] {
            Json::Null => "nothing".to_owned(),
            value => printable(&value.to_string()),
        };
        let (at, from, to) = (text(change, "pointer"), value("from"), value("to"));
        line(shown, 2, &format!("{at}: {from} -> {to}"));
    }
}

/// The receipt in one line.
fn outcome(delivery: &Json) -> String {
    let mut shown = format!("{}: {}", text(delivery, "connection"), text(delivery, "state"));
    if let Some(waiting_for) = given(delivery, "waiting_for") {
        shown = format!("{shown} for {waiting_for}");
    }
    if let Some(outcome) = given(delivery, "outcome") {
        shown = format!("{shown}, {outcome} (evidence: {})", text(delivery, "evidence"));
    }
    for fate in ["confirmed", "unconfirmed"] {
        let count = list(&delivery["fields"], fate).len();
        if count > 0 {
            shown = format!("{shown}, {count} {fate}");
        }
    }
    shown
}

fn why(shown: &mut String, delivery: &Json) {
    for differs in list(&delivery["fields"], "differs") {
        let (at, kept) = (text(differs, "pointer"), printable(&differs["kept"].to_string()));
        line(shown, 4, &format!("{at} differs: the vendor keeps {kept}"));
    }
    let error = &delivery["error"];
    if !error.is_null() {
        let code = given(error, "code").map_or_else(String::new, |code| format!(" {code}"));
        let why = format!(
            "{}{code}: {} ({})",
            text(error, "kind"),
            text(error, "detail"),
            text(delivery, "id")
        );
        line(shown, 0, &wrapped("    ", &why));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_stands_with_its_changes_its_receipts_and_what_a_replay_did_later() {
        let history = History {
            versions: vec![
                json!({ "version": 1, "at": "T1", "by": "crm", "upsert_id": "ups_1", "refused": false,
                "changes": [{ "pointer": "/email", "from": null, "to": "a@x.example" }] }),
            ],
            upserts: vec![
                json!({ "upsert_id": "ups_2", "state": "succeeded", "by": "ops", "through": "replay", "created_at": "T2",
                    "deliveries": [
                    { "id": "dlv_2", "connection": "crm", "state": "succeeded", "outcome": "created",
                      "evidence": "vendor_said", "fields": { "confirmed": ["/email"], "differs": [] } }] }),
                json!({ "upsert_id": "ups_1", "state": "failed", "by": "crm", "through": "request", "created_at": "T1",
                    "deliveries": [
                    { "id": "dlv_1", "connection": "crm", "state": "superseded",
                      "error": { "kind": "rejected", "code": "E1", "detail": "no" } }] }),
            ],
            versions_cursor: None,
            next_cursor: None,
        };
        assert_eq!(
            history.text(),
            "\n\nHistory, newest first:\n\nT2 no new version by ops (replay)\nups_2: succeeded\n  crm: succeeded, created \
             (evidence: vendor_said), 1 confirmed\n\nT1 version 1 by crm\nups_1: failed\n  /email: nothing -> \
             \"a@x.example\"\n  crm: superseded\n    rejected E1: no (dlv_1)"
        );
    }

    #[test]
    fn versions_older_than_the_upserts_that_were_read_wait_for_all() {
        let version = |number: u8, upsert: &str| json!({ "version": number, "upsert_id": upsert, "refused": false });
        let history = History {
            versions: vec![version(2, "ups_3"), version(1, "ups_1")],
            versions_cursor: None,
            upserts: vec![json!({ "upsert_id": "ups_3" }), json!({ "upsert_id": "ups_2" })],
            next_cursor: Some("c".to_owned()),
        };
        let text = history.text();
        assert!(text.contains("version 2") && !text.contains("version 1"), "{text}");
        assert!(text.ends_with("--all shows it."), "{text}");
    }
}
