//! Events that wait or are dead letters.

use std::collections::BTreeMap;

use metrics::{describe_gauge, gauge};

use upsert_app::{EventBacklog, OfMerchant};

const WAITING_OUT: &str = "upsert_gateway_events_out_waiting";
const DEAD_OUT: &str = "upsert_gateway_events_out_dead_letters";
const DEAD_IN: &str = "upsert_gateway_events_in_dead_letters";

pub(super) fn show(backlog: EventBacklog) {
    show_all(WAITING_OUT, "endpoint", backlog.waiting_out);
    show_all(DEAD_OUT, "endpoint", backlog.dead_out);
    show_all(DEAD_IN, "source", backlog.dead_in);
}

fn show_all(metric: &'static str, label: &'static str, counts: BTreeMap<OfMerchant, u64>) {
    for ((merchant, name), count) in counts {
        #[expect(clippy::cast_precision_loss, reason = "nobody has that many events")]
        gauge!(metric, "merchant" => merchant, label => name).set(count as f64);
    }
}

pub(super) fn describe() {
    describe_gauge!(WAITING_OUT, "Events that are still to be sent to an endpoint.");
    describe_gauge!(DEAD_OUT, "Events that an endpoint did not take, for a replay.");
    describe_gauge!(DEAD_IN, "Events of a source that could not be taken, for a replay.");
}
