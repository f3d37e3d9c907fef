//! An event that comes in, from the bytes to the upsert that it becomes. What cannot be taken is kept as a dead letter.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use upsert_api::{EventResult, ProblemCode};
use upsert_core::{Canonical, Field, Ignored, Priority, Word as _};
use upsert_store::{Applied, IncomingOutcome, Through, Write};
use upsert_webhook::{MapProblem, Mapped, Order, Read, Received};

use crate::directory::merchant::Merchant;
use crate::directory::webhooks::Source;
use crate::inbox::Inbox;
use crate::inbox::arrival::{Arrival, contents_of, read_signed};
use crate::inbox::outcome::{Intake, Taken, in_the_events_words, kept_problem, left_out, unbelieved, unmapped};
use crate::inbox::reconcile::Reconciled;
use crate::outbox::races::{Race, commit_with_retry};
use crate::problem::Refusal;
use crate::runtime::metrics::{FORGED, count_ignored, events_in};
use crate::runtime::tracing::TraceContext;
use crate::strict_json::read_json;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::upsert::draft::Asked;
use crate::upsert::straight_line::read_patch;
use crate::upsert::tombstones::{Told, erased};

/// So often an event is worked out anew because somebody else changed what it is about.
const MOST_RACES: usize = 64;
/// The longest event id of a sender's.
const MOST_ID: usize = 255;
/// What an id begins with that is a hash of the event.
const STAND_IN: &str = "sha256:";

/// So far ahead a clock may be.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);

/// An event that its source has signed, read: a part for each customer in it; or a test call.
#[derive(Debug)]
pub struct ReadEvent {
    parts: Vec<(Arrival, Read)>,
    is_ping: bool,
}

impl Inbox {
    /// Believes an event, or not, and reads what its source's mapping makes of it. Nothing is stored yet. A test call of a
    /// media type of its own need not be signed, since nothing is done about it; what is signed is an event first of all.
    ///
    /// # Errors
    /// 401 for one that the source did not sign, or too long ago; 400 for what is no JSON.
    pub fn read_event(
        &self,
        merchant: &Arc<Merchant>,
        source: &Arc<Source>,
        request: &Received<'_>,
        trace: Option<TraceContext<'_>>,
    ) -> Result<ReadEvent, Refusal> {
        let ping = ReadEvent {
            parts: Vec::new(),
            is_ping: true,
        };
        if let Err(forged) = source.verifier.verify(request, self.context.clock.now()) {
            if has_the_media_type_of_pings(source, request) {
                count(merchant, source, Taken::Ping.result());
                return Ok(ping);
            }
            events_in(&merchant.id, &source.name, FORGED).increment(1);
            tracing::warn!(merchant = merchant.id, source = source.name, reason = %forged, "an event was not believed");
            return Err(unbelieved(&forged));
        }
        let reads = if request.body.len() > source.body_limit {
            let detail = format!("an event of this source may have {} bytes", source.body_limit);
            vec![(
                None,
                Read::unreadable(MapProblem::new(String::new(), "body_too_large", detail)),
            )]
        } else {
            let event = match read_json(request.body) {
                Err(_) if has_the_media_type_of_pings(source, request) => None,
                read => Some(read?),
            };
            match event {
                Some(event) if !is_ping(source, &event) => read_signed(source, event, request),
                _ => {
                    count(merchant, source, Taken::Ping.result());
                    return Ok(ping);
                }
            }
        };
        let is_alone = reads.len() == 1;
        let parts = reads.into_iter().map(|(part, read)| {
            let raw = match (&part, is_alone) {
                (Some(part), false) => part.event.to_string(),
                _ => String::from_utf8_lossy(request.body).into_owned(),
            };
            (self.arrival(merchant, source, &read, raw, trace), read)
        });
        Ok(ReadEvent {
            parts: parts.collect(),
            is_ping: false,
        })
    }

    /// Takes an event. When it answers, whatever was taken is durable.
    ///
    /// # Errors
    /// 503 where too much is going on. What cannot be taken for good is no error here but [`Intake::refusal`].
    pub async fn take_event(&self, event: ReadEvent) -> Result<Intake, Refusal> {
        let mut intake = Intake::default();
        if event.is_ping {
            intake.add(Taken::Ping);
        }
        for (arrival, read) in event.parts {
            let (merchant, source) = (arrival.merchant.clone(), arrival.source.clone());
            let taken = self.take(arrival, read).await?;
            count(&merchant, &source, taken.result());
            intake.add(taken);
        }
        Ok(intake)
    }

    /// `raw`: what of the event is kept if it cannot be taken.
    fn arrival(
        &self,
        merchant: &Arc<Merchant>,
        source: &Arc<Source>,
        read: &Read,
        raw: String,
        trace: Option<TraceContext<'_>>,
    ) -> Arrival {
        let (event_id, at) = (event_id_of(read, &raw), self.context.clock.now());
        Arrival {
            id: self.context.ids.event(&merchant.id),
            merchant: merchant.clone(),
            source: source.clone(),
            contents: contents_of(&merchant.id, source, &event_id, read),
            event_id,
            raw,
            received_at: at,
            unbelieved_time: unbelieved_time(read, at),
            is_ageless: is_ageless(source, read, at),
            at,
            traceparent: trace.map(|trace| trace.traceparent.to_owned()),
            tracestate: trace.and_then(|trace| trace.tracestate).map(str::to_owned),
        }
    }

    /// On a task of its own: a sender that hangs up changes nothing about what becomes of it.
    pub(crate) async fn take(&self, arrival: Arrival, read: Read) -> Result<Taken, Refusal> {
        if matches!(read, Read::LeftOut) {
            return Ok(Taken::LeftOut);
        }
        let wing = self.clone();
        let task = async move { Box::pin(wing.take_now(&arrival, read)).await };
        self.context.on_own_task("an event", task).await
    }

    async fn take_now(&self, arrival: &Arrival, read: Read) -> Result<Taken, Refusal> {
        let (refusal, ignored) = match read {
            Read::LeftOut => return Ok(Taken::LeftOut),
            Read::Refused { problems, .. } => (unmapped(problems), Vec::new()),
            Read::Mapped(mapped) => match self.take_mapped(arrival, &in_order(arrival, &mapped)).await {
                Ok(taken) => return Ok(taken),
                Err(refusal) if refusal.code.status() >= 500 => return Err(refusal),
                // What was left out may be just what is missing then.
                Err(refusal) => (
                    in_the_events_words(refusal, &mapped),
                    would_be_left_out(arrival, &mapped),
                ),
            },
        };
        if refusal.code == ProblemCode::Erased {
            return self.keep_nothing(arrival, refusal).await;
        }
        self.keep_dead_letter(arrival, refusal, ignored).await
    }

    /// It is about somebody who was erased: it is told so, and nothing of it is kept, neither of this try nor of one before.
    async fn keep_nothing(&self, arrival: &Arrival, refusal: Refusal) -> Result<Taken, Refusal> {
        let merchant = &arrival.merchant.id;
        let forgotten = commit_with_retry(MOST_RACES, |_| async move {
            let letter = self.seen(arrival).await?.filter(|seen| !seen.state().is_done());
            let Some(letter) = letter else {
                return Ok(Race::Won(()));
            };
            let forget = vec![Write::ForgetIncomingEvent(letter.id)];
            let applied = self.outbox.write(merchant, vec![letter.expected()], forget).await?;
            Ok::<_, Refusal>(Race::over(applied, ()))
        });
        forgotten.await?.ok_or_else(tried_too_often)?;
        let source = &arrival.source.name;
        tracing::warn!(merchant, source, "an event of an erased person: not kept");
        Ok(Taken::Erased(Box::new(refusal)))
    }

    /// The steps of an upsert, with the event held against what is known in between.
    async fn take_mapped(&self, arrival: &Arrival, mapped: &Mapped) -> Result<Taken, Refusal> {
        let (merchant, source) = (&arrival.merchant, &arrival.source);
        let _admitted = self.context.admission.admit(&merchant.id, Priority::Interactive)?;
        if let Some(problem) = asked_for_by_a_route(merchant, &mapped.ignored) {
            return Err(unmapped(vec![problem]));
        }
        let body = self.named_by_vendor(merchant, source, mapped).await?;
        let mut canonical = read_patch(merchant, &body, source.handling)?;
        for problem in &mapped.ignored {
            canonical.patch.note_unreadable(&problem.target);
        }
        let (ignored, told) = left_out(mapped, &canonical.ignored);
        let command = UpsertCommand {
            handling: source.handling,
            traceparent: arrival.traceparent.clone(),
            tracestate: arrival.tracestate.clone(),
            ..UpsertCommand::unattended("POST /v1/webhooks", Through::Webhook, Priority::Interactive)
        };
        let caller = Caller {
            name: source.name.clone(),
        };
        let asked = Asked {
            caller: &caller,
            merchant,
            command: &command,
            claim: None,
        };
        let _deciding = self.context.admission.decide(Priority::Interactive).await?;
        let has_waited = &AtomicBool::new(false);
        let (canonical, ignored, told) = (&canonical, &ignored, told.as_slice());
        let taken = commit_with_retry(MOST_RACES, |key_is_taken| async move {
            let mut identified = self
                .upserts
                .identify_the_living(merchant, &canonical.patch, Told::ByVendor)
                .await?;
            let narrowing = (mapped, &canonical.patch, told);
            let (patch, draft) = match self.reconcile(arrival, narrowing, &mut identified, has_waited).await? {
                Reconciled::Left(patch, draft) => (patch, draft),
                Reconciled::Nothing(event, true) => return Ok(Race::Won(Taken::Repeated(event))),
                Reconciled::Nothing(event, false) => {
                    count_ignored(&merchant.id, ignored);
                    return Ok(Race::Won(Taken::Done(event)));
                }
                Reconciled::Again => return Ok(Race::Changed),
            };
            identified.seen.extend(draft.expect.iter().cloned());
            let left = Canonical {
                patch,
                ignored: ignored.clone(),
            };
            let committed = self
                .upserts
                .plan_and_commit(asked, &identified, &left, Some(&draft), key_is_taken)
                .await?;
            Ok::<_, Refusal>(committed.map(|mut committed| {
                let event = draft.accepted(committed.record.id, committed.upsert.id);
                // Nobody waits for its answer.
                drop(self.deliveries.start_deliveries(&mut committed));
                Taken::Done(Box::new(event))
            }))
        });
        taken.await?.ok_or_else(Refusal::too_many_changes)
    }

    /// It is kept as it came, until its mapping is mended and it is replayed, its sender sends it again and it can be
    /// taken, or an operator gives it up.
    async fn keep_dead_letter(
        &self,
        arrival: &Arrival,
        refusal: Refusal,
        ignored: Vec<Ignored>,
    ) -> Result<Taken, Refusal> {
        let (refusal, ignored) = (&refusal, &ignored);
        let kept = commit_with_retry(MOST_RACES, |_| async move {
            let seen = self.seen(arrival).await?;
            if let Some(done) = seen.as_ref().filter(|seen| seen.state().is_done()) {
                return Ok(Race::Won(Taken::Repeated(Box::new(done.clone()))));
            }
            let row = arrival.row(seen.as_ref(), ignored.clone());
            let row = row.became(IncomingOutcome::Failed {
                problem: kept_problem(refusal),
                raw: arrival.raw.clone(),
            });
            if self.is_of_the_erased(&arrival.merchant, &row, None).await? {
                return Ok(Race::Won(self.keep_nothing(arrival, erased()).await?));
            }
            let write = vec![Write::PutIncomingEvent(row.clone())];
            if self
                .outbox
                .write(&arrival.merchant.id, arrival.expected(seen.as_ref()), write)
                .await?
                != Applied::Done
            {
                return Ok(Race::Changed);
            }
            // Whoever was erased since may have been looked for before this was there.
            if self.is_of_the_erased(&arrival.merchant, &row, None).await? {
                return Ok(Race::Won(self.keep_nothing(arrival, erased()).await?));
            }
            tracing::warn!(
                merchant = arrival.merchant.id, source = arrival.source.name, event = %row.id,
                code = refusal.code.as_str(), tries = row.tries, "an event could not be taken"
            );
            Ok::<_, Refusal>(Race::Won(Taken::Refused(Box::new(row), Box::new(refusal.clone()))))
        });
        kept.await?.ok_or_else(tried_too_often)
    }
}

fn tried_too_often() -> Refusal {
    Refusal::overloaded("the event is being tried too often at once")
}

/// What cannot be read of an event that was refused, by pointer into the event.
fn would_be_left_out(arrival: &Arrival, mapped: &Mapped) -> Vec<Ignored> {
    let canonical = read_patch(&arrival.merchant, &mapped.body, arrival.source.handling);
    let by_canonicalising = canonical.map_or_else(|_| Vec::new(), |canonical| canonical.ignored);
    left_out(mapped, &by_canonicalising).1
}

fn count(merchant: &Merchant, source: &Source, result: EventResult) {
    events_in(&merchant.id, &source.name, result.as_str()).increment(1);
}

fn has_the_media_type_of_pings(source: &Source, request: &Received<'_>) -> bool {
    let said = (request.header)("content-type");
    let ping = source.ping.as_ref().zip(said);
    ping.is_some_and(|(ping, said)| ping.is_of_type(&said))
}

fn is_ping(source: &Source, event: &Json) -> bool {
    source.ping.as_ref().is_some_and(|ping| ping.is_said_by(event))
}

/// The time that an event gives itself, where no clock can be that far ahead.
pub fn unbelieved_time(read: &Read, received_at: Timestamp) -> Option<Timestamp> {
    let Read::Mapped(mapped) = read else { return None };
    let said = mapped.order.as_ref().and_then(Order::moment)?;
    (said.duration_since(received_at) > BELIEVED).then_some(said)
}

/// Whether nothing says when an event was, so that one that comes again in years is taken for a new one unless its id is
/// known. A time that is not believed is none.
pub(crate) fn is_ageless(source: &Source, read: &Read, received_at: Timestamp) -> bool {
    let has_order = matches!(read, Read::Mapped(mapped) if mapped.order.is_some());
    let tells_it = has_order && unbelieved_time(read, received_at).is_none();
    !tells_it && !source.verifier.signs_a_time()
}

/// One whose time is not believed is put in order by its arrival: a clock that is wrong once must not silence its customer.
fn in_order<'m>(arrival: &Arrival, mapped: &'m Mapped) -> Cow<'m, Mapped> {
    if arrival.unbelieved_time.is_none() {
        return Cow::Borrowed(mapped);
    }
    Cow::Owned(Mapped {
        order: Order::at(arrival.received_at),
        ..mapped.clone()
    })
}

/// A member that could not be read and that decides where the customer goes.
fn asked_for_by_a_route(merchant: &Merchant, ignored: &[MapProblem]) -> Option<MapProblem> {
    let asked_for = merchant.routes.iter().flat_map(|route| route.when.fields());
    let asked_for: BTreeSet<&str> = asked_for.map(Field::pointer).collect();
    let is_asked_for = |problem: &&MapProblem| asked_for.contains(problem.target.as_str());
    ignored.iter().find(is_asked_for).cloned()
}

/// One whose id cannot be read goes by a hash of what came, so that the same one again is one dead letter.
pub(crate) fn event_id_of(read: &Read, raw: &str) -> String {
    let said = match read {
        Read::Mapped(mapped) => Some(&mapped.event_id),
        Read::Refused { event_id, .. } => event_id.as_ref(),
        Read::LeftOut => None,
    };
    match said {
        Some(said) if said.len() <= MOST_ID => said.clone(),
        _ => {
            use sha2::Digest as _;
            let hash = sha2::Sha256::digest(raw.as_bytes());
            format!("{STAND_IN}{}", data_encoding::HEXLOWER.encode(&hash))
        }
    }
}

/// Whether it stands in for an id that could not be read.
pub(crate) fn is_stand_in(event_id: &str) -> bool {
    event_id.starts_with(STAND_IN)
}
