//! What calls of each connection failed of, since that was last written down. Nothing is written for a failure itself: it is
//! noted here, and the background writes what has gathered into the connection's incident.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use upsert_core::ErrorKind;
use upsert_store::{DeliveryRecord, IncidentWords};

use crate::runtime::connections::{Key, key};

/// So many failures in a row are an outage, if they have lasted for so long: a few at once are not.
const IN_A_ROW: u32 = 3;
const LASTING: SignedDuration = SignedDuration::from_secs(30);

/// Failures of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// So many.
    pub(crate) failures: u64,
    /// Since the vendor last took a call.
    in_a_row: u32,
    /// The first one's words.
    pub(crate) first: IncidentWords,
    /// The last one's.
    pub(crate) last: IncidentWords,
}

impl Trouble {
    /// Whether the vendor has taken no call for a while.
    pub(crate) fn is_lasting(&self) -> bool {
        self.in_a_row >= IN_A_ROW && self.last.at.duration_since(self.first.at) >= LASTING
    }

    /// Whether the vendor has taken a call since.
    pub(crate) const fn is_over(&self) -> bool {
        self.in_a_row == 0
    }

    fn add(&mut self, newer: Self) {
        self.failures = self.failures.saturating_add(newer.failures);
        self.in_a_row = if newer.failures > u64::from(newer.in_a_row) {
            newer.in_a_row
        } else {
            self.in_a_row.saturating_add(newer.in_a_row)
        };
        self.last = newer.last;
    }
}

/// Failures by merchant and connection.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<HashMap<Key, Trouble>>);

/// Whether it is the vendor that fails, or refuses everybody: not the data, not our own limits.
pub(crate) const fn is_of_vendor(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Transient | ErrorKind::Unauthorised)
}

impl Troubles {
    /// A call of this delivery was sent, and this came of it.
    pub(crate) fn called(&self, delivery: &DeliveryRecord, now: Timestamp) {
        let failed = delivery.error().filter(|error| is_of_vendor(error.kind));
        match failed.filter(|_| delivery.success().is_none()) {
            Some(error) => {
                let words = IncidentWords {
                    at: now,
                    delivery: delivery.id,
                    customer: delivery.customer,
                    error: error.clone(),
                };
                let trouble = Trouble {
                    failures: 1,
                    in_a_row: 1,
                    first: words.clone(),
                    last: words,
                };
                self.add(key(&delivery.merchant, &delivery.connection), trouble);
            }
            None => self.taken(&delivery.merchant, &delivery.connection),
        }
    }

    /// The vendor took a call, or refused the data: it is up. The usual case costs nothing.
    fn taken(&self, merchant: &str, connection: &str) {
        let mut troubles = self.0.lock();
        if !troubles.is_empty()
            && let Some(trouble) = troubles.get_mut(&key(merchant, connection))
        {
            trouble.in_a_row = 0;
        }
    }

    fn add(&self, key: Key, trouble: Trouble) {
        let mut troubles = self.0.lock();
        match troubles.get_mut(&key) {
            // A new row of failures begins: what was before is over, and nobody has written it down.
            Some(known) if known.is_over() => {
                let failures = known.failures.saturating_add(trouble.failures);
                *known = Trouble { failures, ..trouble };
            }
            Some(known) => known.add(trouble),
            None => drop(troubles.insert(key, trouble)),
        }
    }

    /// Where anything failed.
    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        self.0.lock().keys().cloned().collect()
    }

    /// What failed there.
    pub(crate) fn of(&self, merchant: &str, connection: &str) -> Option<Trouble> {
        self.0.lock().get(&key(merchant, connection)).cloned()
    }

    /// What failed there, to be written down: it is not known here any longer.
    pub(crate) fn take(&self, merchant: &str, connection: &str) -> Option<Trouble> {
        self.0.lock().remove(&key(merchant, connection))
    }

    /// It could not be written down.
    pub(crate) fn put_back(&self, merchant: &str, connection: &str, mut trouble: Trouble) {
        let key = key(merchant, connection);
        let mut troubles = self.0.lock();
        if let Some(newer) = troubles.remove(&key) {
            trouble.add(newer);
        }
        troubles.insert(key, trouble);
    }
}

#[cfg(test)]
mod tests {
    use upsert_testkit::records::{customer_id, delivery_error, delivery_id, seconds};

    use super::*;

    fn one(second: i64) -> Trouble {
        let words = IncidentWords {
            at: seconds(second),
            delivery: delivery_id(1),
            customer: customer_id(1),
            error: delivery_error(ErrorKind::Transient, None),
        };
        Trouble {
            failures: 1,
            in_a_row: 1,
            first: words.clone(),
            last: words,
        }
    }

    fn failed(troubles: &Troubles, second: i64) -> Trouble {
        troubles.add(key("acme", "crm"), one(second));
        troubles.of("acme", "crm").unwrap()
    }

    #[test]
    fn failures_in_a_row_are_an_outage_once_they_have_lasted() {
        let troubles = Troubles::default();
        assert!(!failed(&troubles, 0).is_lasting());
        assert!(!failed(&troubles, 29).is_lasting(), "two");
        assert!(!failed(&troubles, 29).is_lasting(), "not for long");
        assert!(failed(&troubles, 30).is_lasting());
        troubles.taken("acme", "crm");
        assert!(troubles.of("acme", "crm").unwrap().is_over());
        let begun_anew = failed(&troubles, 90);
        assert_eq!((begun_anew.failures, begun_anew.first.at), (5, seconds(90)));
        assert!(!begun_anew.is_lasting());
    }

    #[test]
    fn what_could_not_be_written_down_stands_before_what_came_meanwhile() {
        let troubles = Troubles::default();
        let taken = {
            failed(&troubles, 0);
            troubles.take("acme", "crm").unwrap()
        };
        failed(&troubles, 40);
        troubles.put_back("acme", "crm", taken);
        let all = troubles.of("acme", "crm").unwrap();
        assert_eq!((all.failures, all.in_a_row), (2, 2));
        assert_eq!((all.first.at, all.last.at), (seconds(0), seconds(40)));
        assert_eq!(troubles.keys(), [key("acme", "crm")].into());
    }
}
