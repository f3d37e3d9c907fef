//! Dead letters of webhooks: an event that could not be taken, or not be brought to its endpoint, is tried again or given
//! up, one or all that match.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};

use upsert_core::{CustomerId, EventId, Problem};
use upsert_store::{Applied, Changeset, Expect, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState, Write};
use upsert_webhook::Read;

use crate::inbox::arrival::{Arrival, contents_of, read_again};
use crate::inbox::outcome::{Taken, taken_json};
use crate::inbox::receive::{event_id_of, is_stand_in, unbelieved_time};
use crate::operations::Operations;
use crate::problem::{ProblemCode, Refusal};
use crate::queries::event_filter::{Direction, EventListQuery};
use crate::queries::events::{incoming_json, outgoing_json};
use crate::upsert::command::Caller;
use crate::view::visibility::Visibility;

/// Events that one request replays or discards at most.
const MOST_AT_ONCE: usize = 1_000;
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

impl Operations {
    /// Replays or discards one dead letter.
    ///
    /// # Errors
    /// 404; 422 where it is none, or cannot be taken this time either (then with what is wrong).
    pub async fn event_dead_letter(
        &self,
        caller: &Caller,
        merchants: Option<&BTreeSet<String>>,
        direction: Direction,
        action: DeadLetterAction,
        id: EventId,
        visibility: Visibility,
    ) -> Result<Json, Refusal> {
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
            .map(|shown| visibility.incoming(shown))
            .map_err(|refusal| visibility.refusal(refusal))
    }

    /// Replays or discards all dead letters that match. Events are tried in the order in which they came.
    ///
    /// # Errors
    /// 422 for a filter that cannot be read.
    pub async fn event_dead_letters(
        &self,
        caller: &Caller,
        query: EventListQuery,
        direction: Direction,
        action: DeadLetterAction,
        dry_run: bool,
        visibility: Visibility,
    ) -> Result<Json, Refusal> {
        if action == DeadLetterAction::Discard && !query.is_narrowed() {
            let detail = "name at least one filter: `source`, `endpoint`, `since` …";
            return Err(Refusal::invalid(vec![Problem::new("", "required", detail)]));
        }
        let (mut ids, more) = self.dead_letters_of(query, direction).await?;
        if dry_run {
            return Ok(told(true, ids.len(), 0, &[], more));
        }
        ids.sort_unstable();
        let letters = ids.iter().map(|id| async move {
            let done = self
                .event_dead_letter(caller, None, direction, action, *id, visibility)
                .await;
            (*id, done.map(drop))
        });
        // An event that came before another one is tried before it.
        let width = if direction == Direction::In { 1 } else { SIDE_BY_SIDE };
        let outcomes: Vec<_> = futures_util::stream::iter(letters).buffered(width).collect().await;
        let refused: Vec<(EventId, Refusal)> = outcomes
            .into_iter()
            .filter_map(|(id, outcome)| Some((id, outcome.err()?)))
            .collect();
        Ok(told(false, ids.len(), ids.len() - refused.len(), &refused, more))
    }

    async fn dead_letters_of(
        &self,
        mut query: EventListQuery,
        direction: Direction,
    ) -> Result<(Vec<EventId>, bool), Refusal> {
        query.state = Some("failed".to_owned());
        let limit = query.limit.clamp(1, MOST_AT_ONCE);
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let most = PAGE.min(limit - found.len());
            let (ids, next) = match direction {
                Direction::In => {
                    let page = self
                        .context
                        .store
                        .incoming_events(&query.incoming()?, before, most)
                        .await?;
                    (page.entries.iter().map(|event| event.id).collect(), page.next)
                }
                Direction::Out => {
                    let page = self
                        .context
                        .store
                        .outgoing_events(&query.outgoing()?, before, most)
                        .await?;
                    (page.entries.iter().map(|event| event.id).collect::<Vec<_>>(), page.next)
                }
            };
            found.extend(ids);
            before = next;
            if before.is_none() || found.len() >= limit {
                return Ok((found, before.is_some()));
            }
        }
    }

    /// Maps it anew, by the mapping of now.
    async fn replay_incoming(&self, event: IncomingEvent, whom: Option<CustomerId>) -> Result<Json, Refusal> {
        let Some(raw) = event.raw.clone().filter(|_| event.state == IncomingState::Failed) else {
            return Err(not_now("replayed", event.state.as_str()));
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
        let mut shown = Json::Null;
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
                taken => shown = taken_json(&taken),
            }
        }
        if is_split {
            self.discard_incoming(event).await?;
        }
        Ok(shown)
    }

    async fn discard_incoming(&self, event: IncomingEvent) -> Result<Json, Refusal> {
        if event.state != IncomingState::Failed {
            return Err(not_now("discarded", event.state.as_str()));
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
            Applied::Done => Ok(incoming_json(&discarded)),
            Applied::Unmet(_) => Err(changed_meanwhile()),
        }
    }

    /// It starts anew, with the same id.
    async fn replay_outgoing(&self, event: OutgoingEvent) -> Result<Json, Refusal> {
        if event.state != OutgoingState::Failed {
            return Err(not_now("replayed", event.state.as_str()));
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

    async fn discard_outgoing(&self, event: OutgoingEvent) -> Result<Json, Refusal> {
        if event.state != OutgoingState::Failed {
            return Err(not_now("discarded", event.state.as_str()));
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

    async fn put_outgoing(&self, event: OutgoingEvent, before: u64) -> Result<Json, Refusal> {
        let changes = Changeset {
            expect: vec![Expect::OutgoingEvent {
                id: event.id,
                revision: before,
            }],
            write: vec![Write::PutOutgoingEvent(event.clone())],
        };
        match self.outbox.apply(changes).await? {
            Applied::Done => Ok(outgoing_json(&event)),
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

fn told(dry_run: bool, matched: usize, done: usize, refused: &[(EventId, Refusal)], more: bool) -> Json {
    let refusals: Vec<Json> = refused
        .iter()
        .take(MOST_TOLD)
        .map(|(id, refusal)| json!({ "id": id, "code": refusal.code.as_str(), "detail": refusal.detail }))
        .collect();
    json!({
        "dry_run": dry_run,
        "matched": matched,
        "done": done,
        "refused": refused.len(),
        "refusals": refusals,
        "more": more,
    })
}

/// It is in a state in which this cannot be done to it.
pub(crate) fn not_now(what: &str, state: &str) -> Refusal {
    let detail = format!("the event cannot be {what}: it is `{state}`");
    Refusal::new(ProblemCode::ValidationFailed, detail)
}
