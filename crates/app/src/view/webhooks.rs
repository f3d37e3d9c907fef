//! Sources and endpoints, as callers are shown them.

use jiff::Timestamp;

use upsert_core::Word as _;
use upsert_store::{EventCount, IncomingState, OutgoingState};

use crate::context::Context;
use crate::directory::merchant::Merchant;
use crate::directory::webhooks::{Endpoint, Source};

pub(crate) fn source(
    merchant: &Merchant,
    source: &Source,
    failed: &[EventCount<IncomingState>],
    last_event_at: Option<Timestamp>,
) -> upsert_api::Source {
    let mut failed = failed.iter();
    let own = failed.find(|count| count.merchant == merchant.id && count.name == source.name);
    upsert_api::Source {
        merchant_id: merchant.id.clone(),
        name: source.name.clone(),
        connection: source.connection.clone(),
        last_event_at,
        dead_letters: own.map_or(0, |count| count.count),
        oldest_dead_letter_at: own.map(|count| count.oldest),
    }
}

impl Context {
    pub(crate) fn endpoint_view(
        &self,
        merchant: &Merchant,
        endpoint: &Endpoint,
        open: &[EventCount<OutgoingState>],
    ) -> upsert_api::Endpoint {
        let state = self.endpoints.state(&merchant.id, &endpoint.name);
        let own = |count: &&EventCount<OutgoingState>| count.merchant == merchant.id && count.name == endpoint.name;
        let waiting = || open.iter().filter(own).filter(|count| count.state.is_open());
        let oldest = waiting().map(|count| count.oldest).min();
        let dead = open.iter().filter(own).filter(|count| !count.state.is_open());
        upsert_api::Endpoint {
            merchant_id: merchant.id.clone(),
            name: endpoint.name.clone(),
            url: endpoint.shown_url.clone(),
            events: endpoint.events.iter().map(|kind| kind.as_str().to_owned()).collect(),
            payload: endpoint.payload,
            state: state.word(),
            disabled_by: state.disabled.as_ref().map(|disabled| disabled.by.clone()),
            disabled_since: state.disabled.as_ref().map(|disabled| disabled.since),
            waiting: waiting().map(|count| count.count).sum(),
            oldest_waiting_seconds: oldest.map(|oldest| self.clock.now().duration_since(oldest).as_secs()),
            dead_letters: dead.map(|count| count.count).sum(),
            failures_in_a_row: state.failures,
            next_try_at: state.rests_until.filter(|_| state.disabled.is_none()),
            last_success_at: state.last_success_at,
            last_failure_at: state.last_failure_at,
            last_error: state.last_error,
        }
    }
}
