//! What is left of an event once it is held against what is known: nothing of what was done before, of what is older than
//! another event, or of what the gateway wrote itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use upsert_core::{CustomerId, CustomerPatch, Field, Ignored, Value};
use upsert_store::{
    Applied, EventMark, EventMarks, Expect, IncomingEvent, IncomingFilter, IncomingOutcome, IncomingState, Known, Lane,
    StoreError, Write,
};
use upsert_webhook::{Mapped, Order};

use crate::directory::merchant::Merchant;
use crate::inbox::Inbox;
use crate::inbox::arrival::Arrival;
use crate::inbox::ordering::{has_newer, leave_out_older, marked, spoken_of};
use crate::inbox::properties::{self, given_after, keep_what_others_gave};
use crate::planning::echo::{Teller, Told, take_out_echoes};
use crate::planning::plan::{ConnectionPlan, plan};
use crate::upsert::event_draft::EventDraft;
use crate::upsert::identify::Identified;

/// So long an event waits for the call on its way to explain what it says.
const FOR_A_RECEIPT: Duration = Duration::from_secs(2);

/// Dead letters of one id that are looked at whether they say what came now.
const MOST_LETTERS: usize = 32;

/// What is left of an event.
pub(crate) enum Reconciled {
    /// This is to be brought to the customer.
    Left(CustomerPatch, Box<EventDraft>),
    /// Nothing; it is durable that it was here. Whether it had been here before.
    Nothing(Box<IncomingEvent>, bool),
    /// Something changed meanwhile: identify anew.
    Again,
}

impl Inbox {
    /// Holds a mapped event against what is known. `ignored`: what of it was left out. `has_waited`: for a receipt, before.
    pub(crate) async fn reconcile(
        &self,
        arrival: &Arrival,
        (mapped, patch, ignored): (&Mapped, &CustomerPatch, &[Ignored]),
        identified: &mut Identified,
        has_waited: &AtomicBool,
    ) -> Result<Reconciled, StoreError> {
        let seen = self.seen(arrival).await?;
        if let Some(done) = seen.as_ref().filter(|seen| seen.state().is_done()) {
            return Ok(Reconciled::Nothing(Box::new(done.clone()), true));
        }
        let mut draft = EventDraft {
            expect: arrival.expected(seen.as_ref()),
            row: arrival.row(seen.as_ref(), ignored.to_vec()),
            marks: None,
            lanes: BTreeSet::new(),
            origin: arrival.source.connection.clone(),
        };
        if let Some(customer) = self.newer_of(arrival, mapped, patch, identified, &mut draft).await? {
            let outcome = IncomingOutcome::Outdated { customer };
            return self.note_nothing(draft, outcome, None).await;
        }
        let mut patch = patch.clone();
        let Some(known) = &mut identified.known else {
            keep_what_others_gave(&mut patch, mapped, &arrival.source, None, None);
            draft.mark(mapped, None, None, arrival, &patch);
            return Ok(Reconciled::Left(patch, Box::new(draft)));
        };
        let known = Arc::make_mut(known);
        let store = &self.context.store;
        let marks = store
            .event_marks(&arrival.merchant.id, known.record.id, &arrival.source.name)
            .await?;
        let of_order = marks.as_ref().map_or(&[][..], |marks| &marks.marks);
        let was_property_outdated = properties::leave_out_older(&mut patch, mapped, of_order);
        let is_outdated = |order| leave_out_older(&mut patch, order, of_order);
        let was_outdated = mapped.order.as_ref().is_some_and(is_outdated) || was_property_outdated;
        let customer = Some(&known.record.customer);
        keep_what_others_gave(&mut patch, mapped, &arrival.source, customer, marks.as_ref());
        draft.mark(mapped, Some(known.record.id), marks, arrival, &patch);
        let teller = Teller {
            connection: arrival.source.connection.as_deref(),
            at: mapped.order.as_ref().and_then(Order::moment),
            now: arrival.at,
        };
        let told = take_out_echoes(&mut patch, &known.record.customer, &mut known.lanes, teller);
        let adopts = patch
            .links
            .iter()
            .filter(|(name, record)| known.lane(name).and_then(Lane::linked_to) != Some(record));
        let (mut has_news, mut is_made_now) = (false, false);
        for (name, _) in adopts {
            has_news = true;
            // The call on its way may have made that very record.
            is_made_now |= known.lane(name).is_some_and(|lane| lane.in_flight().is_some());
        }
        if (!told.unclear.is_empty() || is_made_now) && !has_waited.swap(true, Ordering::Relaxed) {
            self.wait_for_receipt(known.record.id).await;
            return Ok(Reconciled::Again);
        }
        // It tells of the call on its way, whose answer will name the record too.
        has_news &= !is_made_now || told.ours.is_empty();
        draft.lanes.extend(told.lanes.iter().cloned());
        let after = known.record.customer.merged(&patch);
        if after == known.record.customer
            && !has_news
            && let Some(outcome) = nothing_new(&told, was_outdated, known, teller)
        {
            return self.note_nothing(draft, outcome, Some(known)).await;
        }
        if let Some(name) = &arrival.source.connection {
            learn_from_event(&arrival.merchant, name, known, &patch, &mut draft);
        }
        Ok(Reconciled::Left(patch, Box::new(draft)))
    }

    /// The event's row, if it was here before with this content.
    pub(crate) async fn seen(&self, arrival: &Arrival) -> Result<Option<IncomingEvent>, StoreError> {
        let (store, merchant, source) = (&self.context.store, &arrival.merchant.id, &arrival.source.name);
        for content in &arrival.contents {
            let found = store.event_of_source(merchant, source, &arrival.event_id, content);
            if let Some(found) = found.await? {
                return Ok(Some(found));
            }
        }
        // What could not be taken once may have been this: its mapping may have been mended since.
        let filter = IncomingFilter {
            merchants: Some(BTreeSet::from([merchant.clone()])),
            source: Some(source.clone()),
            state: BTreeSet::from([IncomingState::Failed]),
            event_id: Some(arrival.event_id.clone()),
            ..IncomingFilter::default()
        };
        let letters = store.incoming_events(&filter, None, MOST_LETTERS).await?;
        Ok(letters.entries.into_iter().find(|letter| arrival.says_the_same(letter)))
    }

    /// Whom an event is about that still has what was somebody's once: somebody who is found by what it says too, and of
    /// whose stronger identifier a newer event of the same source has spoken. It makes no new customer, and is not about the
    /// one who has that identifier now.
    async fn newer_of(
        &self,
        arrival: &Arrival,
        mapped: &Mapped,
        patch: &CustomerPatch,
        identified: &Identified,
        draft: &mut EventDraft,
    ) -> Result<Option<CustomerId>, StoreError> {
        let known = identified.known.as_ref().map(|known| &known.record.customer);
        let has_its_name = |name: &str| known.is_some_and(|known| known.reference() == Some(name));
        let is_named = patch.id.is_some() || patch.text(Field::Reference).is_some_and(has_its_name);
        let Some(order) = mapped.order.as_ref().filter(|_| !is_named) else {
            return Ok(None);
        };
        for (customer, pointer) in &identified.contradicted {
            let marks = self
                .context
                .store
                .event_marks(&arrival.merchant.id, *customer, &arrival.source.name);
            let marks = marks.await?;
            let Some(marks) = marks.filter(|marks| has_newer(&marks.marks, order, pointer)) else {
                continue;
            };
            draft.expect.push(Expect::EventMarks {
                customer: *customer,
                source: arrival.source.name.clone(),
                revision: Some(marks.revision),
            });
            return Ok(Some(*customer));
        }
        Ok(None)
    }

    async fn wait_for_receipt(&self, customer: CustomerId) {
        let bell = self.context.notifier.listen(customer);
        let _rung_or_not = tokio::time::timeout(FOR_A_RECEIPT, bell.notified()).await;
    }

    /// Nothing is done about it, durably: it is not looked at again, and what it taught is kept. `known`: whom it is about, to be
    /// there still; otherwise that is expected already.
    async fn note_nothing(
        &self,
        draft: EventDraft,
        outcome: IncomingOutcome,
        known: Option<&Known>,
    ) -> Result<Reconciled, StoreError> {
        let event = draft.row.became(outcome);
        let mut expect = draft.expect;
        let mut write = vec![Write::PutIncomingEvent(event.clone())];
        write.extend(draft.marks.map(Write::PutEventMarks));
        expect.extend(known.map(|known| known.record.expected()));
        let lanes = known.map_or(&[][..], |known| &known.lanes);
        for lane in lanes.iter().filter(|lane| draft.lanes.contains(&lane.connection)) {
            let mut lane = lane.clone();
            expect.push(lane.change());
            write.push(Write::PutLane(lane));
        }
        Ok(match self.outbox.write(&event.merchant, expect, write).await? {
            Applied::Done => Reconciled::Nothing(Box::new(event), false),
            Applied::Unmet(_) => Reconciled::Again,
        })
    }
}

impl EventDraft {
    /// What this event speaks of is not for older ones to change any more. That none that is newer has come meanwhile is
    /// looked at once more with the commit. `known`: none is a customer who gets the id with the commit.
    fn mark(
        &mut self,
        mapped: &Mapped,
        known: Option<CustomerId>,
        before: Option<EventMarks>,
        arrival: &Arrival,
        patch: &CustomerPatch,
    ) {
        let seen = before.as_ref().map(|before| before.revision);
        let (before, given_before) = before.map_or_else(Default::default, |before| (before.marks, before.given));
        let given = given_after(&given_before, mapped, patch, &arrival.source);
        if mapped.order.is_none() && mapped.emptied.is_empty() && given == given_before {
            return;
        }
        self.expect.extend(known.map(|customer| Expect::EventMarks {
            customer,
            source: arrival.source.name.clone(),
            revision: seen,
        }));
        let marks: Vec<EventMark> = match &mapped.order {
            Some(order) => {
                let mut fields = spoken_of(patch);
                fields.extend(properties::spoken_of(mapped, &before));
                marked(&before, order, fields)
            }
            None => before.clone(),
        };
        if marks == before && given == given_before {
            return;
        }
        self.marks = Some(EventMarks {
            customer: known.unwrap_or_else(|| CustomerId::from_uuid(uuid::Uuid::nil())),
            source: arrival.source.name.clone(),
            revision: seen.unwrap_or_default() + 1,
            marks,
            given,
        });
    }
}

/// Whether an event that changes nothing is to be left at that, and why.
fn nothing_new(told: &Told, was_outdated: bool, known: &Known, teller: Teller<'_>) -> Option<IncomingOutcome> {
    let customer = known.record.id;
    let is_linked = |lane: &Lane| lane.link().is_some();
    let is_settled = |lane: &Lane| !lane.failed() && !lane.is_busy();
    let is_mirrored = match teller.connection {
        Some(name) => known.lane(name).is_some_and(is_linked),
        None => known.lanes.iter().any(is_linked) && known.lanes.iter().all(is_settled),
    };
    if !told.ours.is_empty() || (is_mirrored && !was_outdated) {
        Some(IncomingOutcome::Echo { customer })
    } else if was_outdated {
        Some(IncomingOutcome::Outdated { customer })
    } else {
        None
    }
}

/// What the vendor itself tells of its record need not be sent there: it counts as accepted. Not what a call on its way
/// carries, or one that was lost: which of the two the vendor has in the end, nobody knows yet.
fn learn_from_event(merchant: &Merchant, name: &str, known: &mut Known, patch: &CustomerPatch, draft: &mut EventDraft) {
    let after = known.record.customer.merged(patch);
    let Some(connection) = merchant.connection(name) else {
        return;
    };
    let customer = known.record.id;
    let Some(lane) = known.lanes.iter_mut().find(|lane| lane.connection == name) else {
        return;
    };
    if lane.link().is_none() || lane.call().is_some_and(|call| call.carries.is_none()) {
        return;
    }
    let is_open = lane.is_busy();
    let on_its_way = lane.sending().map(|sending| sending.fields.clone());
    let on_its_way = on_its_way.unwrap_or_default();
    let Ok(ConnectionPlan::Send { prepared, .. }) = plan(connection, customer, &after, Some(lane), false) else {
        return;
    };
    let mut has_learnt = false;
    for (vendor_field, sent) in &prepared.sent {
        let said = Field::from_pointer(&sent.pointer).filter(|field| patch.fields.contains_key(field));
        let Some(field) = said else { continue };
        if is_open && (on_its_way.contains_key(vendor_field) || lane.accepted().uncertain.contains(vendor_field)) {
            continue;
        }
        lane.note_told(vendor_field, field.pointer(), sent.value.clone());
        let theirs = after.get(field).map_or(serde_json::Value::Null, Value::to_json);
        lane.keep(&sent.pointer, theirs);
        has_learnt = true;
    }
    if has_learnt {
        draft.lanes.insert(name.to_owned());
    }
}
