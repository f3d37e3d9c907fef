//! Dead letters of webhooks: an event that could not be taken, or not be brought to its endpoint, is tried again or given
//! up, one or all that match.

use std::collections::BTreeSet;
use std::fmt::Display;

use futures_util::StreamExt as _;
use serde_json::json;

use upsert_api::{
    Direction, Event, EventReplayed, EventSelection, EventsDone, IncomingFilter, OutgoingFilter, ProblemCode, Refused,
    Visibility,
};
use upsert_core::{CustomerId, EventId, Problem};
use upsert_store::{Applied, Changeset, Expect, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState, Write};
use upsert_webhook::Read;

use crate::inbox::arrival::{Arrival, contents_of, read_again};
use crate::inbox::outcome::Taken;
use crate::inbox::receive::{event_id_of, is_stand_in, unbelieved_time};
use crate::operations::Operations;
use crate::problem::Refusal;
use crate::upsert::command::Caller;
use crate::view::event::{incoming, outgoing};

/// Refusals that an answer tells one by one.
const MOST_TOLD: usize = 100;
/// Events read at once.
const PAGE: usize = 200;
/// Side by side.
const SIDE_BY_SIDE: usize = 8;

/// What is to be done with dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterAction {
    /// Tried again.
    Replay,
    /// Tried again, one that came in, for the customer whom it means.
    ReplayFor(CustomerId),
    /// Given up.
    Discard,
}

/// Dead letters of one direction that match.
#[derive(Debug, Clone)]
pub enum DeadLetters {
    /// Events that came in.
    In(EventSelection<IncomingFilter>),
    /// Events that go out.
    Out(EventSelection<OutgoingFilter>),
}

impl DeadLetters {
    /// The direction, whether a filter was named, and whether they are only to be counted.
    fn asked(&self) -> (Direction, bool, bool) {
        match self {
            Self::In(selection) => (Direction::In, selection.is_narrowed, selection.dry_run),
            Self::Out(selection) => (Direction::Out, selection.is_narrowed, selection.dry_run),
        }
    }
}

impl Operations {
    /// Replays or discards one dead letter.
    ///
    /// # Errors
    /// 404; 422 where it is none, or cannot be taken this time either (then with what is wrong).
    pub async fn event_dead_letter(
        &self,
        caller: &Caller,
        merchants: Option<&BTreeSet<String>>,
        (direction, id): (Direction, EventId),
        action: DeadLetterAction,
        visibility: Visibility,
    ) -> Result<EventReplayed, Refusal> {
        let by = &caller.name;
        tracing::warn!(event = %id, by, ?direction, ?action, "a dead letter is handled by hand");
        let handled = match (direction, action) {
            (Direction::In, DeadLetterAction::Replay) => {
                let event = self.queries.visible_incoming(merchants, id).await?;
                self.replay_incoming(event, None).await
            }
            (Direction::In, DeadLetterAction::ReplayFor(whom)) => {
                let event = self.queries.visible_incoming(merchants, id).await?;
                self.replay_incoming(event, Some(whom)).await
            }
            (Direction::In, DeadLetterAction::Discard) => {
                let event = self.queries.visible_incoming(merchants, id).await?;
                self.discard_incoming(event).await
            }
            (Direction::Out, DeadLetterAction::Replay) => {
                let event = self.queries.visible_outgoing(merchants, id).await?;
                self.replay_outgoing(event).await
            }
            (Direction::Out, DeadLetterAction::ReplayFor(_)) => {
                let detail = "only an event that came in is about a customer who can be named";
                let problem = Problem::new("/customer_id", "unknown_field", detail);
                Err(Refusal::invalid(vec![problem]))
            }
            (Direction::Out, DeadLetterAction::Discard) => {
                let event = self.queries.visible_outgoing(merchants, id).await?;
                self.discard_outgoing(event).await
            }
        };
        handled
            .map(|shown| visibility.show(shown))
            .map_err(|refusal| refusal.seen_by(visibility))
    }

    /// Replays or discards all dead letters that match. Events are tried in the order in which they came. `merchants`:
    /// those that the caller may speak for; none: all.
    ///
    /// # Errors
    /// 422 where all are to be discarded.
    pub async fn event_dead_letters(
        &self,
        caller: &Caller,
        merchants: Option<&BTreeSet<String>>,
        letters: DeadLetters,
        action: DeadLetterAction,
        visibility: Visibility,
    ) -> Result<EventsDone, Refusal> {
        let (direction, is_narrowed, dry_run) = letters.asked();
        if action == DeadLetterAction::Discard && !is_narrowed {
            let detail = "name at least one filter: `source`, `endpoint`, `since` …";
            return Err(Refusal::invalid(vec![Problem::new("", "required", detail)]));
        }
        let (mut ids, more) = self.dead_letters_of(letters, merchants).await?;
        ids.sort_unstable();
        let mut done = EventsDone {
            dry_run,
            matched: ids.len(),
            done: 0,
            refused: 0,
            refusals: Vec::new(),
            more,
        };
        if dry_run {
            return Ok(done);
        }
        let letters = ids.iter().map(|id| async move {
            let letter = (direction, *id);
            (
                *id,
                self.event_dead_letter(caller, None, letter, action, visibility).await,
            )
        });
        // An event that came before another one is tried before it.
        let width = if direction == Direction::In { 1 } else { SIDE_BY_SIDE };
        let outcomes: Vec<_> = futures_util::stream::iter(letters).buffered(width).collect().await;
        for (id, outcome) in outcomes {
            match outcome {
                Ok(_) => done.done += 1,
                Err(_) if done.refusals.len() == MOST_TOLD => done.refused += 1,
                Err(refusal) => {
                    done.refused += 1;
                    let (code, detail) = (refusal.code, refusal.detail);
                    done.refusals.push(Refused { id, code, detail });
                }
            }
        }
        Ok(done)
    }

    async fn dead_letters_of(
        &self,
        letters: DeadLetters,
        merchants: Option<&BTreeSet<String>>,
    ) -> Result<(Vec<EventId>, bool), Refusal> {
        let (letters, limit) = match letters {
            DeadLetters::In(mut selection) => {
                selection.filter.merchants = merchants.cloned();
                selection.filter.state = [IncomingState::Failed].into();
                (DeadLetters::In(selection.clone()), selection.limit)
            }
            DeadLetters::Out(mut selection) => {
                selection.filter.merchants = merchants.cloned();
                selection.filter.state = [OutgoingState::Failed].into();
                (DeadLetters::Out(selection.clone()), selection.limit)
            }
        };
        let store = &self.context.store;
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let most = PAGE.min(limit - found.len());
            before = match &letters {
                DeadLetters::In(selection) => {
                    let page = store.incoming_events(&selection.filter, before, most).await?;
                    found.extend(page.entries.iter().map(|event| event.id));
                    page.next
                }
                DeadLetters::Out(selection) => {
                    let page = store.outgoing_events(&selection.filter, before, most).await?;
                    found.extend(page.entries.iter().map(|event| event.id));
                    page.next
                }
            };
            if before.is_none() || found.len() >= limit {
                return Ok((found, before.is_some()));
            }
        }
    }

    /// Maps it anew, by the mapping of now.
    async fn replay_incoming(&self, event: IncomingEvent, whom: Option<CustomerId>) -> Result<EventReplayed, Refusal> {
        let Some(raw) = event.raw.clone().filter(|_| event.state == IncomingState::Failed) else {
            return Err(not_now("replayed", event.state));
        };
        let directory = self.context.directory();
        let merchant = directory.get(&event.merchant);
        let source = merchant.and_then(|merchant| merchant.source(&event.source));
        let (Some(merchant), Some(source)) = (merchant, source) else {
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
            return Err(Refusal::invalid(vec![Problem::new(
                "/customer_id",
                "ambiguous",
                detail,
            )]));
        }
        // A list of customers that could not be found as one is several events now; and one whose id could not be read
        // may have been done under its own id meanwhile.
        let has_id_now = |read: &Read| is_stand_in(&event.event_id) && event_id_of(read, &raw) != event.event_id;
        let is_split = reads.len() > 1 || reads.iter().any(has_id_now);
        let mut shown = None;
        for read in &mut reads {
            let event_id = if is_split {
                event_id_of(read, &raw)
            } else {
                event.event_id.clone()
            };
            let arrival = Arrival {
                id: if is_split { self.context.ids.event() } else { event.id },
                merchant: merchant.clone(),
                source: source.clone(),
                contents: contents_of(&merchant.id, source, &event_id, read),
                event_id,
                raw: raw.clone(),
                received_at: event.received_at,
                unbelieved_time: unbelieved_time(read, event.received_at),
                at: self.context.clock.now(),
                traceparent: None,
            };
            if let (Some(whom), Read::Mapped(mapped)) = (whom, &mut *read) {
                mapped.body["id"] = json!(whom);
            }
            match self.inbox.take(arrival, read.clone()).await? {
                Taken::LeftOut if !is_split => return self.discard_incoming(event).await,
                // It was sent again meanwhile, and could be taken then.
                Taken::Repeated(other) if !is_split && other.id != event.id => {
                    return self.discard_incoming(event).await;
                }
                Taken::Refused(_, refusal) => return Err(*refusal),
                taken => shown = Some(taken.shown()),
            }
        }
        let given_up = if is_split || shown.is_none() {
            Some(self.discard_incoming(event).await?)
        } else {
            None
        };
        shown
            .map(EventReplayed::Taken)
            .or(given_up)
            .ok_or_else(changed_meanwhile)
    }

    async fn discard_incoming(&self, event: IncomingEvent) -> Result<EventReplayed, Refusal> {
        if event.state != IncomingState::Failed {
            return Err(not_now("discarded", event.state));
        }
        let discarded = IncomingEvent {
            state: IncomingState::Discarded,
            revision: event.revision + 1,
            raw: None,
            ..event.clone()
        };
        let changes = Changeset {
            expect: vec![Expect::IncomingEvent {
                merchant: event.merchant,
                source: event.source,
                event_id: event.event_id,
                content: event.content,
                revision: Some(event.revision),
            }],
            write: vec![Write::PutIncomingEvent(discarded.clone())],
        };
        match self.outbox.apply(changes).await? {
            Applied::Done => Ok(EventReplayed::Event(Event::Incoming(incoming(&discarded)))),
            Applied::Unmet(_) => Err(changed_meanwhile()),
        }
    }

    /// It starts anew, with the same id.
    async fn replay_outgoing(&self, event: OutgoingEvent) -> Result<EventReplayed, Refusal> {
        if event.state != OutgoingState::Failed {
            return Err(not_now("replayed", event.state));
        }
        let directory = self.context.directory();
        let merchant = directory.get(&event.merchant);
        if merchant.is_none_or(|merchant| merchant.endpoint(&event.endpoint).is_none()) {
            let detail = format!("the endpoint `{}` is not configured any more", event.endpoint);
            return Err(Refusal::new(ProblemCode::ValidationFailed, detail));
        }
        if self.context.endpoints.is_disabled(&event.merchant, &event.endpoint) {
            let detail = format!("the endpoint `{}` is disabled; enable it first", event.endpoint);
            return Err(Refusal::new(ProblemCode::ValidationFailed, detail));
        }
        let now = self.context.clock.now();
        let revision = event.revision;
        let again = OutgoingEvent {
            state: OutgoingState::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            ended_at: None,
            replayed_at: Some(now),
            revision: revision + 1,
            ..event
        };
        self.put_outgoing(again, revision).await
    }

    async fn discard_outgoing(&self, event: OutgoingEvent) -> Result<EventReplayed, Refusal> {
        if event.state != OutgoingState::Failed {
            return Err(not_now("discarded", event.state));
        }
        let revision = event.revision;
        let discarded = OutgoingEvent {
            state: OutgoingState::Discarded,
            revision: revision + 1,
            body: String::new(),
            ..event
        };
        self.put_outgoing(discarded, revision).await
    }

    async fn put_outgoing(&self, event: OutgoingEvent, before: u64) -> Result<EventReplayed, Refusal> {
        let changes = Changeset {
            expect: vec![Expect::OutgoingEvent {
                id: event.id,
                revision: before,
            }],
            write: vec![Write::PutOutgoingEvent(event.clone())],
        };
        match self.outbox.apply(changes).await? {
            Applied::Done => Ok(EventReplayed::Event(Event::Outgoing(outgoing(&event)))),
            Applied::Unmet(_) => Err(changed_meanwhile()),
        }
    }
}

fn changed_meanwhile() -> Refusal {
    Refusal::new(
        ProblemCode::Overloaded,
        "somebody else changed the event at the same moment",
    )
    .retry_after(1)
}

/// It is in a state in which this cannot be done to it.
pub(crate) fn not_now(what: &str, state: impl Display) -> Refusal {
    let detail = format!("the event cannot be {what}: it is `{state}`");
    Refusal::new(ProblemCode::ValidationFailed, detail)
}
