//! Of what deliveries fail: counted by connection, and grouped by cause.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use upsert_api::{Cause, CausePage, Visibility};
use upsert_core::ErrorKind;
use upsert_store::{DeliveryError, DeliveryFilter, DeliveryRecord, DeliveryState, StoreError};

use crate::directory::merchant::{Merchant, named};
use crate::problem::Refusal;
use crate::queries::Queries;

/// Deliveries that are read at once.
const AT_ONCE: usize = 1_000;
/// So many pages are read of those that have failed or are tried again, and as many of those that wait.
const MOST_PAGES: usize = 20;

/// The first of its cause.
fn cause_of(delivery: &DeliveryRecord, error: &DeliveryError) -> Cause {
    Cause {
        kind: error.kind,
        code: error.code.clone(),
        count: 0,
        sample_detail: error.detail.clone(),
        sample_answer: error.first_line(),
        newest_delivery_id: delivery.id,
        newest_at: delivery.created_at,
        states: BTreeMap::new(),
    }
}

impl Queries {
    /// What deliveries failed of that have failed at this connection, are tried again or wait there after an error: the most
    /// frequent cause first, then the one with the newest delivery. Of more than 20,000 of a kind the newest are counted, and the
    /// page says so.
    ///
    /// # Errors
    /// 404.
    pub async fn failures_by_cause(
        &self,
        merchant: &Merchant,
        connection: &str,
        visibility: Visibility,
    ) -> Result<CausePage, Refusal> {
        let connection = named(merchant, connection)?;
        let filter = |states: &[DeliveryState]| DeliveryFilter {
            merchants: Some([merchant.id.clone()].into()),
            connection: Some(connection.name.clone()),
            state: states.iter().copied().collect(),
            ..DeliveryFilter::default()
        };
        let mut grouping = Grouping::default();
        // Apart: in an outage very many wait that were never tried, and would hide those that have failed.
        let tried = filter(&[DeliveryState::Failed, DeliveryState::Retrying]);
        let is_all_tried = self.group(&tried, &mut grouping).await?;
        let is_all_waiting = self.group(&filter(&[DeliveryState::Waiting]), &mut grouping).await?;
        Ok(CausePage {
            data: grouping.most_frequent_first(visibility),
            counted_all: is_all_tried && is_all_waiting,
        })
    }

    /// Adds the newest that match and have an error. Whether those are all.
    async fn group(&self, filter: &DeliveryFilter, grouping: &mut Grouping) -> Result<bool, StoreError> {
        let mut before = None;
        for _page in 0..MOST_PAGES {
            let page = self.context.store.deliveries(filter, before, AT_ONCE).await?;
            page.entries.iter().for_each(|delivery| grouping.add(delivery));
            before = page.next;
            if before.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Causes in the making.
#[derive(Default)]
struct Grouping {
    causes: HashMap<(ErrorKind, Option<String>), Cause>,
}

impl Grouping {
    fn add(&mut self, delivery: &DeliveryRecord) {
        let Some(error) = delivery.error() else { return };
        let cause = self.causes.entry((error.kind, error.code.clone()));
        let cause = cause.or_insert_with(|| cause_of(delivery, error));
        if delivery.id > cause.newest_delivery_id {
            *cause = Cause {
                count: cause.count,
                states: std::mem::take(&mut cause.states),
                ..cause_of(delivery, error)
            };
        }
        cause.count += 1;
        *cause.states.entry(delivery.state()).or_default() += 1;
    }

    fn most_frequent_first(self, visibility: Visibility) -> Vec<Cause> {
        let mut causes: Vec<_> = self.causes.into_values().collect();
        causes.sort_unstable_by_key(|cause| Reverse((cause.count, cause.newest_delivery_id)));
        visibility.show(causes)
    }
}

#[cfg(test)]
mod tests {
    use upsert_core::WaitingFor;
    use upsert_testkit::records::{delivery_error, delivery_id, delivery_record, noon};

    use super::*;

    fn failed(number: u128, state: DeliveryState, code: Option<&str>) -> DeliveryRecord {
        let mut delivery = delivery_record("acme", "crm", delivery_id(number), DeliveryState::InFlight);
        let error = DeliveryError {
            detail: format!("words {number}"),
            vendor_body: Some(format!("<h1>Answer {number}</h1>").into()),
            ..delivery_error(ErrorKind::Rejected, code)
        };
        delivery.note_failed_call(&error, true, 1);
        match state {
            DeliveryState::Failed => delivery.fail(error, noon()),
            _ => delivery.wait(WaitingFor::RateLimit, None, noon()),
        }
        delivery
    }

    #[test]
    fn the_most_frequent_cause_stands_first_with_the_words_of_its_newest_delivery() {
        let mut grouping = Grouping::default();
        // Those that have failed come first, then those that wait.
        for delivery in [
            failed(9, DeliveryState::Failed, None),
            failed(6, DeliveryState::Failed, Some("E1")),
            failed(5, DeliveryState::Failed, Some("E2")),
            failed(8, DeliveryState::Waiting, Some("E1")),
            delivery_record("acme", "crm", delivery_id(7), DeliveryState::Waiting),
        ] {
            grouping.add(&delivery);
        }
        let causes = grouping.most_frequent_first(Visibility::Whole);
        let shown: Vec<_> = causes
            .iter()
            .map(|cause| (cause.code.as_deref(), cause.count))
            .collect();
        assert_eq!(shown, [(Some("E1"), 2), (None, 1), (Some("E2"), 1)]);
        assert_eq!(
            (causes[0].newest_delivery_id, &*causes[0].sample_detail),
            (delivery_id(8), "words 8")
        );
        assert_eq!(causes[0].sample_answer.as_deref(), Some("Answer 8"));
        let states = [(DeliveryState::Waiting, 1), (DeliveryState::Failed, 1)];
        assert_eq!(causes[0].states, states.into());
        let logged = format!("{causes:?}");
        assert!(!logged.contains("words") && !logged.contains("Answer"), "{logged}");
    }
}
