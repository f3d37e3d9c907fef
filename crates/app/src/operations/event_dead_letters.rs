//! Dead letters of webhooks: an event that could not be taken, or not be brought to its endpoint, is tried again or given
//! up, one or all that match.

use std::fmt::Display;

use futures_util::StreamExt as _;
use serde_json::json;

use upsert_api::{
    Direction, Event, EventReplayed, EventSelection, EventsDone, IncomingFilter, OutgoingFilter, ProblemCode, Refused,
    Visibility,
};
use upsert_core::{CustomerId, EventId};
use upsert_store::{Applied, Changeset, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState, Write};
use upsert_webhook::Read;

use crate::audit::act::Act;
use crate::inbox::arrival::{Arrival, contents_of, read_again};
use crate::inbox::outcome::Taken;
use crate::inbox::receive::{event_id_of, is_ageless, is_stand_in, unbelieved_time};
use crate::operations::Operations;
use crate::operations::acts::{of_event, of_many};
use crate::operations::letters::{DeadLetterAction, DeadLetters};
use crate::operations::selected::Tally;
use crate::problem::Refusal;
use crate::queries::Merchants;
use crate::queries::page::gather;
use crate::upsert::command::{Caller, StillMay};
use crate::view::event::incoming;

/// Side by side.
const SIDE_BY_SIDE: usize = 8;

impl Operations {
    /// Replays or discards one dead letter.
    ///
    /// # Errors
    /// 404; 422 where it is none, or cannot be taken this time either (then with what is wrong).
    pub async fn event_dead_letter(
        &self,
        caller: &Caller,
        merchants: Merchants<'_>,
        letter: (Direction, EventId),
        action: DeadLetterAction,
        visibility: Visibility,
    ) -> Result<EventReplayed, Refusal> {
        let audited = |merchant: &str, place: &str| {
            let act = of_event(&caller.name, action.audited(), letter, merchant, place);
            vec![match action {
                DeadLetterAction::ReplayFor(whom) => act.with("customer_id", whom.to_string()),
                _ => act,
            }]
        };
        // On the heap: it is much larger than whatever awaits it.
        Box::pin(self.handle_one(caller, merchants, letter, action, &audited))
            .await
            .map(|shown| visibility.show(shown))
            .map_err(|refusal| refusal.seen_by(visibility))
    }

    /// `audited`: what the audit trail tells of it, of this merchant's and of this source or endpoint.
    async fn handle_one(
        &self,
        caller: &Caller,
        merchants: Merchants<'_>,
        (direction, id): (Direction, EventId),
        action: DeadLetterAction,
        audited: &(dyn Fn(&str, &str) -> Vec<Act> + Sync),
    ) -> Result<EventReplayed, Refusal> {
        let by = &caller.name;
        tracing::warn!(event = %id, by, ?direction, ?action, "a dead letter is handled by hand");
        match (direction, action) {
            (Direction::In, action) => {
                let event = self.queries.visible_incoming(merchants, id).await?;
                let acts = audited(&event.merchant, &event.source);
                match action {
                    DeadLetterAction::Replay => self.replay_incoming(event, None, &acts).await,
                    DeadLetterAction::ReplayFor(whom) => self.replay_incoming(event, Some(whom), &acts).await,
                    DeadLetterAction::Discard => self.discard_incoming(event, &acts).await,
                }
            }
            (Direction::Out, DeadLetterAction::ReplayFor(_)) => {
                let detail = "only an event that came in is about a customer who can be named";
                Err(Refusal::invalid_at("/customer_id", "unknown_field", detail))
            }
            (Direction::Out, action) => {
                let event = self.queries.visible_outgoing(merchants, id).await?;
                let acts = audited(&event.merchant, &event.endpoint);
                self.change_outgoing(event, action, &acts).await
            }
        }
    }

    /// Replays or discards all dead letters that match. Events are tried in the order in which they came. `merchants`:
    /// those that the caller may speak for; none: all. `still_may` is asked before each.
    ///
    /// # Errors
    /// 422 where all are to be discarded, or an id is asked for that would be covered.
    pub async fn event_dead_letters(
        &self,
        caller: &Caller,
        merchants: Merchants<'_>,
        letters: DeadLetters,
        action: DeadLetterAction,
        visibility: Visibility,
        still_may: StillMay<'_>,
    ) -> Result<EventsDone, Refusal> {
        letters.check_event_id(visibility)?;
        let (direction, is_narrowed, dry_run) = letters.asked();
        if action == DeadLetterAction::Discard && !is_narrowed {
            let detail = "name at least one filter: `source`, `endpoint`, `since` …";
            return Err(Refusal::invalid_at("", "required", detail));
        }
        let filter = letters.filter();
        let (found, more) = self.dead_letters_of(letters, merchants).await?;
        if !dry_run {
            let (subject, of_whom) = (
                format!("events/{direction}"),
                found.iter().map(|(merchant, _)| &**merchant),
            );
            let acts = of_many(&caller.name, action.audited(), &subject, filter, of_whom);
            self.context.audit.record(&acts).await?;
        }
        let mut ids: Vec<EventId> = found.into_iter().map(|(_, id)| id).collect();
        ids.sort_unstable();
        let letters = ids.iter().filter(|_| !dry_run).map(|id| async move {
            let handled = async {
                still_may()?;
                let nothing_more = &|_: &str, _: &str| Vec::new();
                self.handle_one(caller, None, (direction, *id), action, nothing_more)
                    .await
            };
            let handled = handled.await.map(drop);
            (vec![*id], handled.map_err(|refusal| refusal.seen_by(visibility)))
        });
        // An event that came before another one is tried before it.
        let width = if direction == Direction::In { 1 } else { SIDE_BY_SIDE };
        let tally = Tally::of(futures_util::stream::iter(letters).buffered(width)).await;
        Ok(EventsDone {
            dry_run,
            matched: ids.len(),
            done: tally.done,
            refused: tally.refused.len(),
            refusals: tally.told(|id, code, detail| Refused { id, code, detail }),
            more,
        })
    }

    async fn dead_letters_of(
        &self,
        letters: DeadLetters,
        merchants: Merchants<'_>,
    ) -> Result<(Vec<(String, EventId)>, bool), Refusal> {
        let (store, merchants) = (&self.context.store, merchants.cloned());
        let (found, next) = match letters {
            DeadLetters::In(EventSelection { filter, limit, .. }) => {
                let state = [IncomingState::Failed].into();
                let filter = &IncomingFilter {
                    merchants,
                    state,
                    ..filter
                };
                gather(limit, None, |before, most| async move {
                    let page = store.incoming_events(filter, before, most).await?;
                    let found = page.entries.into_iter().map(|event| (event.merchant, event.id));
                    Ok::<(Vec<_>, _), Refusal>((found.collect(), page.next))
                })
                .await?
            }
            DeadLetters::Out(EventSelection { filter, limit, .. }) => {
                let state = [OutgoingState::Failed].into();
                let filter = &OutgoingFilter {
                    merchants,
                    state,
                    ..filter
                };
                gather(limit, None, |before, most| async move {
                    let page = store.outgoing_events(filter, before, most).await?;
                    let found = page.entries.into_iter().map(|event| (event.merchant, event.id));
                    Ok::<(Vec<_>, _), Refusal>((found.collect(), page.next))
                })
                .await?
            }
        };
        Ok((found, next.is_some()))
    }

    /// Maps it anew, by the mapping of now. What comes of it are upserts, so it is written down before.
    async fn replay_incoming(
        &self,
        event: IncomingEvent,
        whom: Option<CustomerId>,
        acts: &[Act],
    ) -> Result<EventReplayed, Refusal> {
        let Some(raw) = event.raw().map(str::to_owned) else {
            return Err(not_now("replayed", event.state()));
        };
        let directory = self.context.directory_with(&event.merchant).await?;
        let merchant = directory.get(&event.merchant);
        let configured = merchant
            .as_ref()
            .and_then(|merchant| Some((merchant, merchant.source(&event.source)?)));
        let Some((merchant, source)) = configured else {
            let detail = format!("the source `{}` is not configured any more", event.source);
            return Err(Refusal::new(ProblemCode::ValidationFailed, detail));
        };
        // Headers are not kept: the only one that a mapping may ask for is the event's id, which is known.
        let event_id = event.event_id.clone();
        let header = |_: &str| Some(event_id.clone());
        if raw.len() > source.body_limit {
            let detail = format!("an event of this source may have {} bytes", source.body_limit);
            return Err(Refusal::new(ProblemCode::ValidationFailed, detail));
        }
        let mut reads = read_again(source, &raw, &header).map_err(|refusal| Refusal {
            code: ProblemCode::ValidationFailed,
            ..refusal
        })?;
        if whom.is_some() && reads.len() > 1 {
            let detail = "the event tells of several customers: which of them is meant cannot be said";
            return Err(Refusal::invalid_at("/customer_id", "ambiguous", detail));
        }
        // A list of customers that could not be found as one is several events now; and one whose id could not be read
        // may have been done under its own id meanwhile.
        let has_id_now = |read: &Read| is_stand_in(&event.event_id) && event_id_of(read, &raw) != event.event_id;
        let is_split = reads.len() > 1 || reads.iter().any(has_id_now);
        self.context.audit.record(acts).await?;
        let mut shown = None;
        for read in &mut reads {
            let event_id = if is_split {
                event_id_of(read, &raw)
            } else {
                event.event_id.clone()
            };
            let arrival = Arrival {
                id: if is_split {
                    self.context.ids.event(&merchant.id)
                } else {
                    event.id
                },
                merchant: merchant.clone(),
                source: source.clone(),
                contents: contents_of(&merchant.id, source, &event_id, read),
                event_id,
                raw: raw.clone(),
                received_at: event.received_at,
                unbelieved_time: unbelieved_time(read, event.received_at),
                is_ageless: is_ageless(source, read, event.received_at),
                at: self.context.clock.now(),
                traceparent: None,
                tracestate: None,
            };
            if let (Some(whom), Read::Mapped(mapped)) = (whom, &mut *read) {
                mapped.body["id"] = json!(whom);
            }
            match self.inbox.take(arrival, read.clone()).await? {
                Taken::LeftOut if !is_split => return self.discard_incoming(event, &[]).await,
                // It was sent again meanwhile, and could be taken then.
                Taken::Repeated(other) if !is_split && other.id != event.id => {
                    return self.discard_incoming(event, &[]).await;
                }
                Taken::Refused(_, refusal) => return Err(*refusal),
                // Of several, the others are taken; what is kept of all of them goes in the end.
                Taken::Erased(refusal) if !is_split => return Err(*refusal),
                Taken::Erased(_) => {}
                taken => shown = Some(taken.shown()),
            }
        }
        let given_up = if is_split || shown.is_none() {
            Some(self.discard_incoming(event, &[]).await?)
        } else {
            None
        };
        shown
            .map(EventReplayed::Taken)
            .or(given_up)
            .ok_or_else(changed_meanwhile)
    }

    async fn discard_incoming(&self, mut event: IncomingEvent, acts: &[Act]) -> Result<EventReplayed, Refusal> {
        if event.state() != IncomingState::Failed {
            return Err(not_now("discarded", event.state()));
        }
        let expected = event.change();
        event.discard();
        let shown = Event::Incoming(incoming(&event));
        let changes = Changeset {
            expect: vec![expected],
            ..Changeset::of(&event.merchant)
        };
        self.put(changes, Write::PutIncomingEvent(event), acts, shown).await
    }

    /// One that is replayed starts anew, with the same id.
    async fn change_outgoing(
        &self,
        mut event: OutgoingEvent,
        action: DeadLetterAction,
        acts: &[Act],
    ) -> Result<EventReplayed, Refusal> {
        let is_given_up = action == DeadLetterAction::Discard;
        if event.state() != OutgoingState::Failed {
            let what = if is_given_up { "discarded" } else { "replayed" };
            return Err(not_now(what, event.state()));
        }
        let expected = event.change();
        if is_given_up {
            event.discard();
        } else {
            self.check_endpoint(&event).await?;
            event.replay(self.context.clock.now());
        }
        let shown = Event::Outgoing(self.context.outgoing_view(&event));
        let changes = Changeset {
            expect: vec![expected],
            ..Changeset::of(&event.merchant)
        };
        self.put(changes, Write::PutOutgoingEvent(event), acts, shown).await
    }

    /// Whether anything could go out to the event's endpoint.
    async fn check_endpoint(&self, event: &OutgoingEvent) -> Result<(), Refusal> {
        let (merchant, endpoint) = (&event.merchant, &event.endpoint);
        let directory = self.context.directory_with(merchant).await?;
        let is_configured = directory
            .get(merchant)
            .is_some_and(|merchant| merchant.endpoint(endpoint).is_some());
        let detail = if !is_configured {
            format!("the endpoint `{endpoint}` is not configured any more")
        } else if self.context.endpoints.is_disabled(merchant, endpoint) {
            format!("the endpoint `{endpoint}` is disabled; enable it first")
        } else {
            return Ok(());
        };
        Err(Refusal::new(ProblemCode::ValidationFailed, detail))
    }

    async fn put(
        &self,
        mut changes: Changeset,
        changed: Write,
        acts: &[Act],
        shown: Event,
    ) -> Result<EventReplayed, Refusal> {
        changes.write.push(changed);
        match self.outbox.apply_audited(changes, acts).await? {
            Applied::Done => Ok(EventReplayed::Event(shown)),
            Applied::Unmet(_) => Err(changed_meanwhile()),
        }
    }
}

fn changed_meanwhile() -> Refusal {
    Refusal::overloaded("somebody else changed the event at the same moment")
}

/// It is in a state in which this cannot be done to it.
pub(crate) fn not_now(what: &str, state: impl Display) -> Refusal {
    let detail = format!("the event cannot be {what}: it is `{state}`");
    Refusal::new(ProblemCode::ValidationFailed, detail)
}
