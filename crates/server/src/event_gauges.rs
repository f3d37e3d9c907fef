//! Gauges of events that wait or are dead letters, counted whenever the metrics are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use metrics::{describe_gauge, gauge};

use upsert_app::{Gateway, OfMerchant};

const WAITING_OUT: &str = "upsert_gateway_events_out_waiting";
const DEAD_OUT: &str = "upsert_gateway_events_out_dead_letters";
const DEAD_IN: &str = "upsert_gateway_events_in_dead_letters";

/// What was shown last: a gauge would keep its value when its endpoint is gone.
#[derive(Debug, Default)]
pub(crate) struct EventGauges {
    shown: Mutex<BTreeSet<(&'static str, OfMerchant)>>,
}

impl EventGauges {
    /// Sets them to what the store holds now. Where it cannot tell, they stay as they are.
    pub(crate) async fn refresh(&self, gateway: &Gateway) {
        match gateway.event_backlog().await {
            Ok(backlog) => {
                self.show(WAITING_OUT, "endpoint", backlog.waiting_out);
                self.show(DEAD_OUT, "endpoint", backlog.dead_out);
                self.show(DEAD_IN, "source", backlog.dead_in);
            }
            Err(error) => tracing::warn!(%error, "events that wait could not be counted"),
        }
    }

    fn show(&self, metric: &'static str, label: &'static str, mut counts: BTreeMap<OfMerchant, u64>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, key) in shown.iter().filter(|(of, _)| *of == metric) {
            counts.entry(key.clone()).or_default();
        }
        for (key, count) in counts {
            #[expect(clippy::cast_precision_loss, reason = "nobody has that many events")]
            gauge!(metric, "merchant" => key.0.clone(), label => key.1.clone()).set(count as f64);
            shown.insert((metric, key));
        }
    }
}

/// Tells the metrics recorder what they mean.
pub(crate) fn describe() {
    describe_gauge!(WAITING_OUT, "Events that are still to be sent to an endpoint.");
    describe_gauge!(DEAD_OUT, "Events that an endpoint did not take, for a replay.");
    describe_gauge!(DEAD_IN, "Events of a source that could not be taken, for a replay.");
}
