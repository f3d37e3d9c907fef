//! Holds the journals against what was revoked when.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use upsert_simulators::Entry;

use super::what::GRACE;

/// What is left of a run.
pub(in super::super) struct Evidence {
    /// What the vendor got.
    pub(in super::super) calls: Vec<Entry>,
    /// What the endpoints got.
    pub(in super::super) events: Vec<Entry>,
    /// Credentials, and paths of endpoints, that were taken away, and when.
    pub(in super::super) revoked: BTreeMap<String, Timestamp>,
}

/// Whether something was too late, of what was revoked at this moment.
pub(in super::super) fn is_late(at: Timestamp, revoked_at: Timestamp) -> bool {
    at.duration_since(revoked_at) > SignedDuration::try_from(GRACE).unwrap_or(SignedDuration::MAX)
}

impl Evidence {
    /// Calls by a credential, and events at an endpoint, that was taken away more than two seconds before.
    pub(in super::super) fn findings(&self) -> Vec<String> {
        let calls = self.calls.iter().map(|call| (call.header("x-api-key"), call));
        let events = self.events.iter().map(|event| (Some(event.path.as_str()), event));
        let late = calls.chain(events).filter_map(|(name, entry)| {
            let name = name?;
            let revoked_at = self.revoked.get(name)?;
            let late = entry.received_at.duration_since(*revoked_at).as_millis();
            is_late(entry.received_at, *revoked_at).then(|| {
                format!(
                    "{} {} by {name}, {late} ms after it was taken away",
                    entry.method, entry.path
                )
            })
        });
        late.collect()
    }
}

#[cfg(test)]
mod tests {
    use upsert_simulators::Vendor;

    use super::*;

    fn entry(path: &str, credential: &str, at: &str) -> Entry {
        Entry {
            sequence: 1,
            vendor: Vendor::Rotor,
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: vec![("x-api-key".to_owned(), credential.to_owned())],
            body: String::new(),
            received_at: at.parse().unwrap(),
            finished_at: None,
            received_tick: 1,
            finished_tick: None,
            fault: None,
            answered: None,
            write: None,
        }
    }

    #[test]
    fn a_call_or_an_event_more_than_two_seconds_after_the_revocation_is_found() {
        let (in_time, late) = ("2026-11-30T12:00:02Z", "2026-11-30T12:00:02.001Z");
        let revoked_at: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let names = ["credential-1-0", "/hooks/1-0"].map(|name| (name.to_owned(), revoked_at));
        let evidence = Evidence {
            calls: vec![
                entry("/customers", "credential-1-0", in_time),
                entry("/customers", "credential-1-0", late),
                entry("/customers", "credential-1-1", late),
            ],
            events: vec![entry("/hooks/1-0", "", in_time), entry("/hooks/1-0", "", late)],
            revoked: names.into(),
        };
        let found = evidence.findings();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("credential-1-0, 2001 ms") && found[1].contains("/hooks/1-0"));
    }
}
