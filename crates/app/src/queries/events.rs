//! Events as operators see them: lists in both directions, dead letters to replay or give up, and how sources and
//! endpoints are doing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use upsert_core::EventId;
use upsert_store::{EventCount, IncomingEvent, IncomingFilter, IncomingState, OutgoingEvent, OutgoingState};

use crate::directory::merchant::Merchant;
use crate::directory::webhooks::{Endpoint, Source};
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::queries::event_filter::EventListQuery;
use crate::queries::filter::below;
use crate::queries::page::{Listing, to_cursor};
use crate::view::visibility::Visibility;

impl Queries {
    /// Events that came in, newest first.
    ///
    /// # Errors
    /// 400 for a filter or a cursor that cannot be read.
    pub async fn list_incoming(&self, query: &EventListQuery, visibility: Visibility) -> Result<Listing, Refusal> {
        let filter = query.incoming()?;
        let before = below(query.cursor.as_deref(), filter.until)?.map(EventId::from_uuid);
        let page = self.context.store.incoming_events(&filter, before, query.limit).await?;
        Ok(Listing {
            data: page
                .entries
                .iter()
                .map(|one| visibility.incoming(incoming_json(one)))
                .collect(),
            next_cursor: page.next.map(|next| to_cursor(next.as_uuid())),
        })
    }

    /// Events that go out, newest first.
    ///
    /// # Errors
    /// 400 for a filter or a cursor that cannot be read.
    pub async fn list_outgoing(&self, query: &EventListQuery) -> Result<Listing, Refusal> {
        let filter = query.outgoing()?;
        let before = below(query.cursor.as_deref(), filter.until)?.map(EventId::from_uuid);
        let page = self.context.store.outgoing_events(&filter, before, query.limit).await?;
        Ok(Listing {
            data: page.entries.iter().map(outgoing_json).collect(),
            next_cursor: page.next.map(|next| to_cursor(next.as_uuid())),
        })
    }

    /// One event that came in; a dead letter with the event as it came. `merchants`: whose may be seen; none: all.
    ///
    /// # Errors
    /// 404.
    pub async fn get_incoming(
        &self,
        merchants: Option<&BTreeSet<String>>,
        id: EventId,
        visibility: Visibility,
    ) -> Result<Json, Refusal> {
        let event = self.visible_incoming(merchants, id).await?;
        let mut shown = visibility.incoming(incoming_json(&event));
        shown["raw"] = json!(event.raw.map(|raw| visibility.document(&raw)));
        Ok(shown)
    }

    /// One event that goes out, with its body as long as it has not been taken.
    ///
    /// # Errors
    /// 404.
    pub async fn get_outgoing(
        &self,
        merchants: Option<&BTreeSet<String>>,
        id: EventId,
        visibility: Visibility,
    ) -> Result<Json, Refusal> {
        let event = self.visible_outgoing(merchants, id).await?;
        let mut shown = outgoing_json(&event);
        shown["body"] = json!((!event.body.is_empty()).then(|| visibility.document(&event.body)));
        Ok(shown)
    }

    pub(crate) async fn visible_incoming(
        &self,
        merchants: Option<&BTreeSet<String>>,
        id: EventId,
    ) -> Result<IncomingEvent, Refusal> {
        let event = self.context.store.incoming_event(id).await?;
        event
            .filter(|event| merchants.is_none_or(|merchants| merchants.contains(&event.merchant)))
            .ok_or_else(|| Refusal::not_found("event"))
    }

    pub(crate) async fn visible_outgoing(
        &self,
        merchants: Option<&BTreeSet<String>>,
        id: EventId,
    ) -> Result<OutgoingEvent, Refusal> {
        let event = self.context.store.outgoing_event(id).await?;
        event
            .filter(|event| merchants.is_none_or(|merchants| merchants.contains(&event.merchant)))
            .ok_or_else(|| Refusal::not_found("event"))
    }

    /// Sources and endpoints of these merchants, and how they are doing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn webhooks_json(&self, may_see: impl Fn(&Merchant) -> bool) -> Result<Json, Refusal> {
        let (failed, open) = (
            self.context.store.failed_incoming().await?,
            self.context.store.open_outgoing().await?,
        );
        let directory = self.context.directory();
        let mut merchants: Vec<_> = directory.iter().filter(|merchant| may_see(merchant)).collect();
        merchants.sort_by(|a, b| a.id.cmp(&b.id));
        let mut sources = Vec::new();
        let mut endpoints = Vec::new();
        for merchant in merchants {
            for source in &merchant.sources {
                let page = IncomingFilter {
                    merchants: Some(BTreeSet::from([merchant.id.clone()])),
                    source: Some(source.name.clone()),
                    ..IncomingFilter::default()
                };
                let newest = self.context.store.incoming_events(&page, None, 1).await?;
                let last_event_at = newest.entries.first().map(|event| event.received_at);
                sources.push(source_json(merchant, source, &failed, last_event_at));
            }
            let shown = |endpoint| self.endpoint_json(merchant, endpoint, &open);
            endpoints.extend(merchant.endpoints.iter().map(|endpoint| shown(endpoint)));
        }
        Ok(json!({ "sources": sources, "endpoints": endpoints }))
    }

    pub(crate) fn endpoint_json(
        &self,
        merchant: &Merchant,
        endpoint: &Endpoint,
        open: &[EventCount<OutgoingState>],
    ) -> Json {
        let state = self.context.endpoints.state(&merchant.id, &endpoint.name);
        let own = |count: &&EventCount<OutgoingState>| count.merchant == merchant.id && count.name == endpoint.name;
        let waiting = || open.iter().filter(own).filter(|count| count.state.is_open());
        let oldest = waiting().map(|count| count.oldest).min();
        let dead = open.iter().filter(own).filter(|count| !count.state.is_open());
        json!({
            "merchant_id": merchant.id,
            "name": endpoint.name,
            "url": endpoint.shown_url,
            "events": endpoint.events.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
            "payload": if endpoint.ids_only { "ids" } else { "full" },
            "state": state.word(),
            "disabled_by": state.disabled.as_ref().map(|disabled| &disabled.by),
            "disabled_since": state.disabled.as_ref().map(|disabled| disabled.since),
            "waiting": waiting().map(|count| count.count).sum::<u64>(),
            "oldest_waiting_seconds": oldest.map(|oldest| self.context.clock.now().duration_since(oldest).as_secs()),
            "dead_letters": dead.map(|count| count.count).sum::<u64>(),
            "failures_in_a_row": state.failures,
            "next_try_at": state.rests_until,
            "last_success_at": state.last_success_at,
            "last_failure_at": state.last_failure_at,
            "last_error": state.last_error,
        })
    }
}

fn source_json(
    merchant: &Merchant,
    source: &Source,
    failed: &[EventCount<IncomingState>],
    last_event_at: Option<Timestamp>,
) -> Json {
    let own = failed
        .iter()
        .find(|count| count.merchant == merchant.id && count.name == source.name);
    json!({
        "merchant_id": merchant.id,
        "name": source.name,
        "connection": source.connection,
        "last_event_at": last_event_at,
        "dead_letters": own.map_or(0, |count| count.count),
        "oldest_dead_letter_at": own.map(|count| count.oldest),
    })
}

/// An event that came in, without what came.
pub(crate) fn incoming_json(event: &IncomingEvent) -> Json {
    json!({
        "id": event.id,
        "merchant_id": event.merchant,
        "source": event.source,
        "event_id": event.event_id,
        "state": event.state,
        "received_at": event.received_at,
        "tried_at": event.tried_at,
        "tries": event.tries,
        "customer_id": event.customer,
        "upsert_id": event.upsert,
        "problem": event.problem,
        "ignored": event.ignored,
        "unbelieved_time": event.unbelieved_time,
    })
}

/// An event that goes out, without its body.
pub(crate) fn outgoing_json(event: &OutgoingEvent) -> Json {
    json!({
        "id": event.id,
        "merchant_id": event.merchant,
        "endpoint": event.endpoint,
        "type": event.kind,
        "state": event.state,
        "created_at": event.created_at,
        "attempts": event.attempts,
        "next_attempt_at": event.next_attempt_at,
        "last_attempt_at": event.last_attempt_at,
        "last_status": event.last_status,
        "last_error": event.last_error,
        "ended_at": event.ended_at,
    })
}
