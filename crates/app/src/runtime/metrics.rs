//! The metrics of one connection's deliveries, registered once: counting one builds no label.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Histogram, Label, Unit, counter, describe_counter, describe_histogram, histogram};

use upsert_api::EventResult;
use upsert_core::{ErrorKind, Ignored, Outcome, Word as _};
use upsert_store::{DeliveryRecord, DeliveryState, Progress};

use crate::directory::merchant::{Directory, Merchant};

/// Events that came in.
const EVENTS_IN: &str = "upsert_gateway_events_in_total";
/// What those are counted as whose signature is wrong.
pub(crate) const FORGED: &str = "forged";

/// Members that were left out.
const IGNORED: &str = "upsert_gateway_ignored_total";

const DELIVERIES: &str = "upsert_gateway_deliveries_total";
const QUEUE_WAIT: &str = "upsert_gateway_queue_wait_seconds";
const OVERLOADED: &str = "upsert_gateway_overloaded_total";

/// What stands in a label that says nothing.
const NONE: &str = "none";

const OUTCOMES: [Outcome; 4] = [
    Outcome::Created,
    Outcome::Updated,
    Outcome::Upserted,
    Outcome::Unchanged,
];

/// Tells the metrics recorder what the metrics of this crate mean. Once, after the recorder is installed.
pub fn describe_metrics() {
    describe_counter!(DELIVERIES, "Deliveries that ended, by how.");
    describe_histogram!(
        QUEUE_WAIT,
        Unit::Seconds,
        "How long deliveries waited for their first attempt, pauses and spent quotas not counted."
    );
    describe_counter!(OVERLOADED, "Upserts refused because too many were under way.");
    describe_counter!(
        IGNORED,
        "Members of requests and events that could not be read and were left out, by the code they would have been refused with."
    );
    describe_counter!(EVENTS_IN, "Events that came in, by what came of them.");
    describe_counter!(
        "upsert_gateway_events_out_total",
        "Tries to bring events to endpoints, by what came of them."
    );
    describe_histogram!(
        "upsert_gateway_event_send_seconds",
        Unit::Seconds,
        "How long endpoints took to answer."
    );
    // A counter that is not there before it first counts hides that first time from whoever asks for its increase.
    counter!(OVERLOADED).increment(0);
}

/// What alerts and panels count is there at zero, of everything that is configured: a counter that is not there before it first
/// counts hides that first time.
pub(crate) fn begin_at_zero(directory: &Directory) {
    for merchant in directory.iter() {
        begin_at_zero_of(&merchant);
    }
}

/// The same, of one merchant.
pub(crate) fn begin_at_zero_of(merchant: &Merchant) {
    for connection in &merchant.connections {
        let own = own(&merchant.id, &connection.name, &connection.provider);
        for ended in failures(&own).into_iter().chain(successes(&own)).chain(others(&own)) {
            ended.increment(0);
        }
        connection.status.begin_at_zero();
    }
    for source in &merchant.sources {
        for result in EventResult::ALL {
            events_in(&merchant.id, &source.name, result.as_str()).increment(0);
        }
        events_in(&merchant.id, &source.name, FORGED).increment(0);
    }
}

/// Counts what a request or an event of this merchant's said in vain.
pub(crate) fn count_ignored(merchant: &str, ignored: &[Ignored]) {
    for Ignored { code, .. } in ignored {
        counter!(IGNORED, "merchant" => merchant.to_owned(), "code" => code.clone()).increment(1);
    }
}

/// Counts events of this source of which this came.
pub(crate) fn events_in(merchant: &str, source: &str, result: &'static str) -> Counter {
    counter!(EVENTS_IN, "merchant" => merchant.to_owned(), "source" => source.to_owned(), "result" => result)
}

/// A connection's labels, which all of its meters share.
fn own(merchant: &str, connection: &str, provider: &str) -> [Label; 3] {
    [
        Label::new("merchant", Arc::<str>::from(merchant)),
        Label::new("connection", Arc::<str>::from(connection)),
        Label::new("provider", Arc::<str>::from(provider)),
    ]
}

fn ended(own: &[Label; 3], state: DeliveryState, outcome: &'static str, kind: &'static str) -> Counter {
    let how = [("state", state.as_str()), ("outcome", outcome), ("error_kind", kind)];
    let how = how.map(|(name, word)| Label::new(name, word));
    let labels: Vec<Label> = own.iter().cloned().chain(how).collect();
    counter!(DELIVERIES, labels)
}

fn failures(own: &[Label; 3]) -> Vec<Counter> {
    let kinds = ErrorKind::ALL.iter();
    kinds
        .map(|kind| ended(own, DeliveryState::Failed, NONE, kind.as_str()))
        .collect()
}

fn successes(own: &[Label; 3]) -> [Counter; OUTCOMES.len()] {
    OUTCOMES.map(|outcome| ended(own, DeliveryState::Succeeded, outcome.as_str(), NONE))
}

/// Superseded, and discarded.
fn others(own: &[Label; 3]) -> [Counter; 2] {
    [DeliveryState::Superseded, DeliveryState::Discarded].map(|state| ended(own, state, NONE, NONE))
}

/// One connection's meters.
pub(crate) struct Meters {
    succeeded: [Counter; OUTCOMES.len()],
    /// In the order of the kinds.
    failed: Vec<Counter>,
    superseded: Counter,
    discarded: Counter,
    queue_wait: Histogram,
}

impl Meters {
    pub(crate) fn of(delivery: &DeliveryRecord) -> Self {
        let own = own(&delivery.merchant, &delivery.connection, &delivery.provider);
        let [superseded, discarded] = others(&own);
        Self {
            succeeded: successes(&own),
            failed: failures(&own),
            superseded,
            discarded,
            queue_wait: histogram!(QUEUE_WAIT, own.to_vec()),
        }
    }

    /// The one that counts deliveries which ended like this one; none: it has not ended.
    pub(crate) fn counter(&self, delivery: &DeliveryRecord) -> Option<&Counter> {
        match delivery.progress() {
            Progress::Succeeded(success) => {
                let place = OUTCOMES.iter().position(|one| *one == success.outcome)?;
                self.succeeded.get(place)
            }
            Progress::Failed { error, .. } => {
                let place = ErrorKind::ALL.iter().position(|one| *one == error.kind)?;
                self.failed.get(place)
            }
            Progress::Superseded { .. } => Some(&self.superseded),
            Progress::Discarded { .. } => Some(&self.discarded),
            _ => None,
        }
    }

    pub(crate) fn waited(&self, wait: Duration) {
        self.queue_wait.record(wait);
    }
}
