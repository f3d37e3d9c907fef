//! Events as operators see them: lists in both directions, dead letters to replay or give up, and how sources and
//! endpoints are doing.

use std::collections::BTreeSet;

use upsert_api::{
    Event, IncomingFilter, OutgoingFilter, Page, PageQuery, Visibility, Webhooks, WholeIncomingEvent,
    WholeOutgoingEvent,
};
use upsert_core::{EventId, Problem};
use upsert_store::{IncomingEvent, OutgoingEvent};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::queries::names::Named;
use crate::queries::page::{begins, shown_page, until_found};
use crate::queries::{Merchants, Queries};
use crate::view::event::incoming;
use crate::view::webhooks::source;

impl Queries {
    /// Events that came in, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read, a source that is not there, and an id that would be covered.
    pub async fn list_incoming(
        &self,
        filter: &IncomingFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<Event>, Refusal> {
        if let Some(problem) = covered_event_id(filter, visibility) {
            return Err(Refusal::invalid_query(vec![problem]));
        }
        let before = begins(page, EventId::from_uuid)?;
        let store = &self.context.store;
        let read = |before| async move {
            let page = store.incoming_events(filter, before, page.limit).await?;
            Ok::<_, Refusal>((page.entries, page.next))
        };
        let (found, next) = until_found(before, read).await?;
        if found.is_empty() {
            let name = filter.source.as_deref();
            self.known(filter.merchants.as_ref(), Named::Source, name).await?;
        }
        let shown = |event| Event::Incoming(visibility.show(incoming(event)));
        Ok(shown_page(found.iter().map(shown), next.as_ref().map(EventId::as_uuid)))
    }

    /// Events that go out, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read, or an endpoint that is not there.
    pub async fn list_outgoing(
        &self,
        filter: &OutgoingFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<Event>, Refusal> {
        let before = begins(page, EventId::from_uuid)?;
        let store = &self.context.store;
        let read = |before| async move {
            let page = store.outgoing_events(filter, before, page.limit).await?;
            Ok::<_, Refusal>((page.entries, page.next))
        };
        let (found, next) = until_found(before, read).await?;
        if found.is_empty() {
            let name = filter.endpoint.as_deref();
            self.known(filter.merchants.as_ref(), Named::Endpoint, name).await?;
        }
        let shown = |event| Event::Outgoing(visibility.show(self.context.outgoing_view(event)));
        Ok(shown_page(found.iter().map(shown), next.as_ref().map(EventId::as_uuid)))
    }

    /// One event that came in; a dead letter with the event as it came. `merchants`: whose may be seen; none: all.
    ///
    /// # Errors
    /// 404.
    pub async fn get_incoming(
        &self,
        merchants: Merchants<'_>,
        id: EventId,
        visibility: Visibility,
    ) -> Result<WholeIncomingEvent, Refusal> {
        let event = self.visible_incoming(merchants, id).await?;
        Ok(visibility.show(WholeIncomingEvent {
            event: incoming(&event),
            raw: event.raw().map(str::to_owned),
        }))
    }

    /// One event that goes out, with its body as long as it has not been taken.
    ///
    /// # Errors
    /// 404.
    pub async fn get_outgoing(
        &self,
        merchants: Merchants<'_>,
        id: EventId,
        visibility: Visibility,
    ) -> Result<WholeOutgoingEvent, Refusal> {
        let event = self.visible_outgoing(merchants, id).await?;
        Ok(visibility.show(WholeOutgoingEvent {
            event: self.context.outgoing_view(&event),
            body: Some(event.body().to_owned()).filter(|body| !body.is_empty()),
            failed_attempts: event.failed_attempts().to_vec(),
        }))
    }

    pub(crate) async fn visible_incoming(
        &self,
        merchants: Merchants<'_>,
        id: EventId,
    ) -> Result<IncomingEvent, Refusal> {
        for merchant in self.context.merchants_of(id.mark(), merchants).await? {
            if let Some(event) = self.context.store.incoming_event(&merchant, id).await? {
                return Ok(event);
            }
        }
        Err(Refusal::not_found("event"))
    }

    pub(crate) async fn visible_outgoing(
        &self,
        merchants: Merchants<'_>,
        id: EventId,
    ) -> Result<OutgoingEvent, Refusal> {
        for merchant in self.context.merchants_of(id.mark(), merchants).await? {
            if let Some(event) = self.context.store.outgoing_event(&merchant, id).await? {
                return Ok(event);
            }
        }
        Err(Refusal::not_found("event"))
    }

    /// Sources and endpoints of these merchants, and how they are doing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn webhooks(&self, may_see: impl Fn(&Merchant) -> bool) -> Result<Webhooks, Refusal> {
        let store = &self.context.store;
        let (failed, open) = (store.failed_incoming().await?, store.open_outgoing().await?);
        let directory = self.context.directory();
        let mut merchants: Vec<_> = directory.iter().filter(|merchant| may_see(merchant)).collect();
        merchants.sort_by(|a, b| a.id.cmp(&b.id));
        let mut shown = Webhooks::default();
        for merchant in merchants {
            for one in &merchant.sources {
                let own = IncomingFilter {
                    merchants: Some(BTreeSet::from([merchant.id.clone()])),
                    source: Some(one.name.clone()),
                    ..IncomingFilter::default()
                };
                let newest = store.incoming_events(&own, None, 1).await?;
                let last_event_at = newest.entries.first().map(|event| event.received_at);
                shown.sources.push(source(&merchant, one, &failed, last_event_at));
            }
            let endpoints = merchant.endpoints.iter();
            let endpoints = endpoints.map(|endpoint| self.context.endpoint_view(&merchant, endpoint, &open));
            shown.endpoints.extend(endpoints);
        }
        Ok(shown)
    }
}

/// An event's id that would be covered cannot be asked for either: whoever finds it has read it.
pub(crate) fn covered_event_id(filter: &IncomingFilter, visibility: Visibility) -> Option<Problem> {
    let id = filter.event_id.as_deref()?;
    let detail = "is not a word of letters, digits, `_`, `-` and `.`; for another one the key needs `customers:read`";
    (!visibility.may_ask_for_code(id)).then(|| Problem::new("event_id", "invalid_value", detail))
}
