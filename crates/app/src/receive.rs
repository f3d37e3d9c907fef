//! An event that comes in, from the bytes to the upsert that it becomes. What cannot be taken is kept as a dead letter.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use upsert_core::{Canonical, Handling, Priority};
use upsert_store::{Applied, Changeset, IncomingEvent, IncomingState, Through, Write};
use upsert_webhook::{Mapped, Part, Read, Received};

use crate::commit::{Attempted, Committed};
use crate::gateway::Gateway;
use crate::intake::{
    Intake, Taken, ignored_in_the_events_words, in_the_events_words, problem_json, unbelieved, unmapped,
};
use crate::merchant::Merchant;
use crate::meters::{FORGED, count_ignored, events_in};
use crate::narrow::{Arrival, Narrowed};
use crate::problem::{ProblemCode, Refusal};
use crate::upsert::{Asked, Caller, UpsertCommand, read_patch};
use crate::webhooks::Source;

/// So often an event is worked out anew because somebody else changed what it is about.
const MOST_RACES: usize = 64;
/// The longest event id of a sender's.
const MOST_ID: usize = 255;
/// What an id begins with that is a hash of the event.
const STAND_IN: &str = "sha256:";

/// An event that its source has signed, read: a part for each customer in it.
#[derive(Debug)]
pub struct ReadEvent(Vec<(Arrival, Read)>);

impl Gateway {
    /// Believes an event, or not, and reads what its source's mapping makes of it. Nothing is stored yet.
    ///
    /// # Errors
    /// 401 for one that the source did not sign, or too long ago; 400 for what is no JSON.
    pub fn read_event(
        &self,
        merchant: &Arc<Merchant>,
        source: &Arc<Source>,
        request: &Received<'_>,
        traceparent: Option<&str>,
    ) -> Result<ReadEvent, Refusal> {
        if let Err(forged) = source.verifier.verify(request, self.clock.now()) {
            count(merchant, source, FORGED);
            tracing::warn!(merchant = merchant.id, source = source.name, reason = %forged, "an event was not believed");
            return Err(unbelieved(&forged));
        }
        let reads = read_parts(source, parse(request.body)?, request);
        let is_alone = reads.len() == 1;
        let parts = reads.into_iter().map(|(part, read)| {
            let raw = match (&part, is_alone) {
                (Some(part), false) => part.event.to_string(),
                _ => String::from_utf8_lossy(request.body).into_owned(),
            };
            let traceparent = traceparent.map(str::to_owned);
            (self.arrival(merchant, source, &read, raw, traceparent), read)
        });
        Ok(ReadEvent(parts.collect()))
    }

    /// Takes an event. When it answers, whatever was taken is durable.
    ///
    /// # Errors
    /// 503 where too much is going on. What cannot be taken for good is no error here but [`Intake::refusal`].
    pub async fn take_event(&self, event: ReadEvent) -> Result<Intake, Refusal> {
        let mut intake = Intake::default();
        for (arrival, read) in event.0 {
            let (merchant, source) = (arrival.merchant.clone(), arrival.source.clone());
            let taken = self.take(arrival, read).await?;
            count(&merchant, &source, taken.result());
            intake.add(taken);
        }
        Ok(intake)
    }

    fn arrival(
        &self,
        merchant: &Arc<Merchant>,
        source: &Arc<Source>,
        read: &Read,
        raw: String,
        traceparent: Option<String>,
    ) -> Arrival {
        Arrival {
            id: self.ids.event(),
            merchant: merchant.clone(),
            source: source.clone(),
            event_id: event_id_of(read, &raw),
            raw,
            at: self.clock.now(),
            traceparent,
        }
    }

    /// On a task of its own: a sender that hangs up changes nothing about what becomes of it.
    pub(crate) async fn take(&self, arrival: Arrival, read: Read) -> Result<Taken, Refusal> {
        if matches!(read, Read::LeftOut) {
            return Ok(Taken::LeftOut);
        }
        let gateway = self.clone();
        let task = self
            .tasks
            .spawn(async move { Box::pin(gateway.take_now(&arrival, read)).await });
        task.await.unwrap_or_else(|_| {
            tracing::error!("an event's task ended before its time");
            Err(Refusal::new(ProblemCode::Internal, "the event could not be handled"))
        })
    }

    async fn take_now(&self, arrival: &Arrival, read: Read) -> Result<Taken, Refusal> {
        let refusal = match read {
            Read::LeftOut => return Ok(Taken::LeftOut),
            Read::Refused { problems, .. } => unmapped(problems),
            Read::Mapped(mapped) => match self.take_mapped(arrival, &mapped).await {
                Ok(taken) => return Ok(taken),
                Err(refusal) if refusal.code.status() >= 500 => return Err(refusal),
                Err(refusal) => in_the_events_words(refusal, &mapped),
            },
        };
        self.keep_dead_letter(arrival, refusal).await
    }

    /// The steps of an upsert, with the event held against what is known in between.
    async fn take_mapped(&self, arrival: &Arrival, mapped: &Mapped) -> Result<Taken, Refusal> {
        let (merchant, source) = (&arrival.merchant, &arrival.source);
        let _admitted = self.admission.admit(&merchant.id, Priority::Interactive)?;
        let body = self.named_by_vendor(arrival, mapped).await?;
        let canonical = read_patch(merchant, &body, Handling::Strict)?;
        let command = UpsertCommand {
            body: Json::Null,
            idempotency_key: None,
            route: "POST /v1/webhooks",
            through: Through::Webhook,
            respond_async: true,
            force: false,
            handling: Handling::Strict,
            traceparent: arrival.traceparent.clone(),
            priority: Priority::Interactive,
            request_id: String::new(),
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
        let told = || ignored_in_the_events_words(&canonical.ignored, mapped);
        let _deciding = self.admission.decide(Priority::Interactive).await?;
        let (mut look_up_keys, mut waited) = (false, false);
        for _race in 0..MOST_RACES {
            let mut identified = self.identify(merchant, &canonical.patch).await?;
            let (patch, draft) = match self
                .narrow(arrival, mapped, &canonical.patch, &mut identified, &mut waited)
                .await?
            {
                Narrowed::Left(patch, draft) => (patch, draft),
                Narrowed::Nothing(event, true) => return Ok(Taken::Repeated(event)),
                Narrowed::Nothing(event, false) => {
                    count_ignored(&merchant.id, &canonical.ignored);
                    return Ok(Taken::Done(event, told()));
                }
                Narrowed::Again => continue,
            };
            identified.seen.extend(draft.expect.iter().cloned());
            let left = Canonical {
                patch,
                ignored: canonical.ignored.clone(),
            };
            match self
                .plan_and_commit(asked, &identified, &left, Some(&draft), look_up_keys)
                .await?
            {
                Attempted::Committed(mut committed) => {
                    let event = accepted(draft.event(), &committed);
                    // Nobody waits for its answer.
                    drop(self.start_deliveries(&mut committed));
                    return Ok(Taken::Done(Box::new(event), told()));
                }
                Attempted::KeyTaken => look_up_keys = true,
                Attempted::Raced | Attempted::IdempotencyKeyTaken => tokio::task::yield_now().await,
            }
        }
        Err(Refusal::new(ProblemCode::Overloaded, "too many changes of this customer at once").retry_after(1))
    }

    /// The body, with the id of the customer that is linked to the vendor's record that the event tells of.
    async fn named_by_vendor(&self, arrival: &Arrival, mapped: &Mapped) -> Result<Json, Refusal> {
        let mut body = mapped.body.clone();
        if let (Some(record), Some(connection)) = (&mapped.provider_customer_id, &arrival.source.connection)
            && let Some(members) = body.as_object_mut().filter(|members| !members.contains_key("id"))
        {
            let merchant = &arrival.merchant.id;
            // Links hold ids in one form; an event may write them in another.
            let known = arrival.merchant.connection(connection);
            let record = known.map_or_else(|| record.clone(), |known| known.adapter.canonical_id(record));
            let owners = self.store.record_owners(merchant, connection, &record).await?;
            // One that several customers share is told apart by what else the event says.
            if let [owner] = owners.as_slice() {
                members.insert("id".to_owned(), json!(owner));
            }
        }
        Ok(body)
    }

    /// It is kept as it came, until its mapping is mended and it is replayed, its sender sends it again and it can be
    /// taken, or an operator gives it up.
    async fn keep_dead_letter(&self, arrival: &Arrival, refusal: Refusal) -> Result<Taken, Refusal> {
        for _race in 0..MOST_RACES {
            let seen = self.seen(arrival).await?;
            if let Some(done) = seen.as_ref().filter(|seen| seen.state.is_done()) {
                return Ok(Taken::Repeated(Box::new(done.clone())));
            }
            let row = IncomingEvent {
                problem: Some(problem_json(&refusal)),
                raw: Some(arrival.raw.clone()),
                ..arrival.row(seen.as_ref(), IncomingState::Failed)
            };
            let changes = Changeset {
                expect: vec![arrival.expected(seen.as_ref())],
                write: vec![Write::PutIncomingEvent(row.clone())],
            };
            if self.apply(changes).await? == Applied::Done {
                tracing::warn!(
                    merchant = arrival.merchant.id, source = arrival.source.name, event = %row.id,
                    code = refusal.code.as_str(), tries = row.tries, "an event could not be taken"
                );
                return Ok(Taken::Refused(Box::new(row), Box::new(refusal)));
            }
        }
        Err(Refusal::new(ProblemCode::Overloaded, "the event is being tried too often at once").retry_after(1))
    }
}

fn accepted(event: &IncomingEvent, committed: &Committed) -> IncomingEvent {
    IncomingEvent {
        customer: Some(committed.record.id),
        upsert: Some(committed.upsert.id),
        ..event.clone()
    }
}

fn count(merchant: &Merchant, source: &Source, result: &'static str) {
    events_in(&merchant.id, &source.name, result).increment(1);
}

fn parse(body: &[u8]) -> Result<Json, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::new(
            ProblemCode::MalformedJson,
            format!("the event is not valid JSON: {error}"),
        )
    })
}

type Reads = Vec<(Option<Part>, Read)>;

fn read_parts(source: &Source, event: Json, request: &Received<'_>) -> Reads {
    let parts = match source.mapping.parts(event) {
        Ok(parts) => parts,
        Err(problem) => {
            let read = Read::Refused {
                event_id: None,
                problems: vec![problem],
            };
            return vec![(None, read)];
        }
    };
    let read = |part: Part| {
        let read = source.mapping.read(&part, request.header);
        (Some(part), read)
    };
    parts.into_iter().map(read).collect()
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
