//! Step 10: what an attempt proved, on the delivery and on the lane, in one durable transaction. A result that somebody
//! else overtook (another claim, a changed lane) is worked out anew on what is there now.

use std::sync::Arc;

use jiff::Timestamp;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{
    DeliveryId, ErrorKind, OnCollision, ProviderError, RetryAdvice, StateAtVendor, UpsertReceipt, VendorSaid,
    WaitingFor, Word as _,
};
use upsert_store::{
    Applied, AttemptRecord, DeliveryError, DeliveryRecord, DeliveryState, Expect, Lane, StoreError, UpsertState, Write,
};

use crate::delivery::Deliveries;
use crate::delivery::work::{Work, give_back_call};
use crate::planning::echo::learn_from_receipt;
use crate::planning::lane::supersede;

/// How one attempt ended.
#[derive(Debug, Clone)]
pub(crate) enum AttemptEnd {
    /// The vendor accepted it.
    Accepted(Arc<UpsertReceipt>),
    /// It failed for good.
    Failed(Arc<ProviderError>),
    /// It is tried again at this moment.
    Again(Arc<ProviderError>, Timestamp),
    /// The connection holds it back; none: until somebody releases it.
    Held(Arc<ProviderError>, WaitingFor, Option<Timestamp>),
}

impl AttemptEnd {
    /// What went wrong, if it ended badly.
    fn error(&self) -> Option<&ProviderError> {
        match self {
            Self::Accepted(_) => None,
            Self::Failed(error) | Self::Again(error, _) | Self::Held(error, _, _) => Some(error),
        }
    }

    /// What the vendor said of a call that it accepted.
    fn said(&self) -> Option<&VendorSaid> {
        match self {
            Self::Accepted(receipt) => Some(&receipt.vendor_said),
            Self::Failed(_) | Self::Again(..) | Self::Held(..) => None,
        }
    }

    /// Where a test makes the process die with this known and nothing recorded.
    pub(crate) fn crash_point(&self) -> &'static str {
        match self {
            Self::Accepted(_) => points::DELIVER_AFTER_ACCEPTED,
            Self::Failed(_) => points::DELIVER_AFTER_REFUSED,
            Self::Again(..) => points::DELIVER_AFTER_FAILED,
            Self::Held(..) => points::DELIVER_AFTER_HELD,
        }
    }
}

/// The delivery after it was recorded, and the one that comes next in its lane. Nothing comes back where the result came
/// too late: somebody else has claimed the delivery since.
pub(crate) type Recorded = Option<(DeliveryRecord, Option<DeliveryId>)>;

/// Time and place of one attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptTimes {
    pub(crate) started_at: Timestamp,
    pub(crate) took_ms: u64,
}

impl Deliveries {
    /// Records it (judged: see [`judge`]), as often as the lane changes meanwhile. What was recorded before, though the
    /// store's answer got lost, is not recorded twice.
    pub(crate) async fn record(
        &self,
        work: &Work,
        mut end: AttemptEnd,
        times: AttemptTimes,
    ) -> Result<Recorded, StoreError> {
        let mut lane = work.lane.clone();
        loop {
            end = judge_by(&lane, work, end);
            let mut recording = Recording {
                work,
                delivery: work.delivery.clone(),
                expect: vec![work.delivery.expected(), lane.change()],
                lane,
                now: self.context.clock.now(),
                write: Vec::new(),
            };
            recording.apply(&end, times, self).await?;
            let (delivery, queued, expect, write) = recording.drawn_up();
            crash_point(points::RECORD_BEFORE_COMMIT);
            let applied = self
                .outbox
                .write(&work.delivery.merchant, expect.clone(), write)
                .await?;
            crash_point(points::RECORD_AFTER_COMMIT);
            let unmet = match applied {
                Applied::Done => return Ok(Some((delivery, queued))),
                Applied::Unmet(index) => expect.get(index),
            };
            match unmet {
                Some(Expect::Delivery { .. }) => return self.came_too_late(work, &end).await,
                // Where customers may share a record it has an owner by now, who is to say so too.
                Some(Expect::RecordFree { .. }) if work.connection.on_collision == OnCollision::Refuse => {
                    end = self.name_the_owner(work, end).await?;
                }
                _ => {}
            }
            let known = self.context.customer_of(&work.delivery).await?;
            let Some(found) = known.and_then(|known| known.lane(&work.connection.name).cloned()) else {
                return self.came_too_late(work, &end).await;
            };
            if let Some(delivery) = self.recorded_before(work).await? {
                return Ok(Some((delivery, found.queued())));
            }
            lane = found;
        }
    }

    /// The delivery, if its attempt is over already and nobody has claimed it since.
    async fn recorded_before(&self, work: &Work) -> Result<Option<DeliveryRecord>, StoreError> {
        let Work { delivery, .. } = work;
        let stored = self.context.store.delivery(&delivery.merchant, delivery.id).await?;
        Ok(stored.filter(|stored| stored.fence() == delivery.fence() && stored.state() != DeliveryState::InFlight))
    }

    /// The delivery waits in the lane, or gives way to a newer one that does already, which is to be written then.
    pub(crate) async fn wait_in(
        &self,
        lane: &mut Lane,
        delivery: &mut DeliveryRecord,
        now: Timestamp,
    ) -> Result<Option<Write>, StoreError> {
        let newer = match lane.queued() {
            Some(id) => self.context.store.delivery(&delivery.merchant, id).await?,
            None => None,
        };
        let Some(mut newer) = newer else {
            lane.queue(delivery.id);
            return Ok(None);
        };
        supersede(delivery, &mut newer, now);
        Ok(Some(Write::PutDelivery(newer, None)))
    }

    /// The new link's record is not free: the delivery fails, and says whose it is. It may be free again by now.
    async fn name_the_owner(&self, work: &Work, end: AttemptEnd) -> Result<AttemptEnd, StoreError> {
        let AttemptEnd::Accepted(receipt) = end else {
            return Ok(end);
        };
        let theirs = &receipt.provider_customer_id;
        let (merchant, connection) = (&work.delivery.merchant, &work.connection.name);
        let owners = self.context.store.record_owners(merchant, connection, theirs).await?;
        let other = owners.iter().find(|owner| **owner != work.delivery.customer);
        Ok(match other {
            Some(other) => {
                let detail = format!("the vendor wrote to record {theirs}, which is customer {other} here");
                AttemptEnd::Failed(Arc::new(other_record(&receipt, &detail)))
            }
            None => AttemptEnd::Accepted(receipt),
        })
    }
}

/// An accepted call that names another record than the one it was about is a broken contract.
pub(crate) fn judge(work: &Work, end: AttemptEnd) -> AttemptEnd {
    judge_by(&work.lane, work, end)
}

/// The lane may have got a link since the call went out: by a caller who knows the vendor's record.
fn judge_by(lane: &Lane, work: &Work, end: AttemptEnd) -> AttemptEnd {
    let AttemptEnd::Accepted(receipt) = end else {
        return end;
    };
    let theirs = &receipt.provider_customer_id;
    // Some vendors take their id from us: then it is known before there is a link.
    let ours = linked_record(lane, work).or(work.prepared.expected_id.as_deref());
    let adapter = &work.connection.adapter;
    // How ids are written is the vendor's to say.
    match ours.filter(|ours| adapter.canonical_id(ours) != adapter.canonical_id(theirs)) {
        Some(ours) => {
            let detail = format!("the vendor wrote to record {theirs}, but this customer is record {ours} there");
            AttemptEnd::Failed(Arc::new(other_record(&receipt, &detail)))
        }
        None => AttemptEnd::Accepted(receipt),
    }
}

/// The vendor's id of the record that the call was to change, if there is a link to it.
fn linked_record<'a>(lane: &'a Lane, work: &Work) -> Option<&'a str> {
    lane.linked_to().filter(|_| !work.replaces_link)
}

/// What the vendor says of that record is not kept: it may be about somebody else, who may have been erased.
fn other_record(receipt: &UpsertReceipt, detail: &str) -> ProviderError {
    let (kind, state) = (ErrorKind::BrokenContract, StateAtVendor::Unknown);
    let mut error = ProviderError::new(kind, state, RetryAdvice::Never, detail).with_code("other_record");
    error.vendor_status = receipt.vendor_said.status;
    error.with_context("the vendor wrote to another record")
}

/// A new link's record must belong to nobody else, unless sharing is allowed.
fn record_is_free(work: &Work, end: &AttemptEnd) -> Option<Expect> {
    match end {
        AttemptEnd::Accepted(receipt)
            if work.connection.on_collision == OnCollision::Refuse && linked_record(&work.lane, work).is_none() =>
        {
            Some(free(work, receipt))
        }
        _ => None,
    }
}

/// That no other customer has the record.
fn free(work: &Work, receipt: &UpsertReceipt) -> Expect {
    Expect::RecordFree {
        connection: work.connection.name.clone(),
        provider_customer_id: receipt.provider_customer_id.clone(),
        customer: work.delivery.customer,
    }
}

struct Recording<'a> {
    work: &'a Work,
    delivery: DeliveryRecord,
    lane: Lane,
    now: Timestamp,
    expect: Vec<Expect>,
    write: Vec<Write>,
}

impl Recording<'_> {
    async fn apply(&mut self, end: &AttemptEnd, times: AttemptTimes, wing: &Deliveries) -> Result<(), StoreError> {
        let attempt = self.attempt(end, times);
        match end {
            AttemptEnd::Accepted(receipt) => {
                self.accept(receipt, times.took_ms);
                self.learn(receipt, wing);
                self.share(receipt, wing).await?;
            }
            AttemptEnd::Failed(error) => {
                self.note_failed_call(error, times);
                self.delivery.fail(delivery_error(error), self.now);
                self.lane.mark_failed(self.delivery.version());
            }
            AttemptEnd::Again(error, at) => {
                self.note_failed_call(error, times);
                self.delivery.retry_at(*at);
                self.park(wing).await?;
            }
            AttemptEnd::Held(error, waiting_for, at) => {
                self.note_failed_call(error, times);
                self.delivery.wait(*waiting_for, *at, self.now);
                self.park(wing).await?;
            }
        }
        self.expect.extend(record_is_free(self.work, end));
        self.write.extend(self.lane.give_back_keys());
        self.write
            .push(Write::PutDelivery(self.delivery.clone(), Some(attempt)));
        if ends_its_upsert(self.work, &self.delivery)
            && let Some(mut upsert) = self.work.sole_of.clone()
        {
            let _the_delivery_is_expected_instead = upsert.change();
            upsert.end(UpsertState::Succeeded, self.now);
            self.write.push(Write::PutUpsert(upsert, None));
        }
        Ok(())
    }

    /// The delivery, the one that comes next in its lane, what is expected and what is to be written.
    fn drawn_up(mut self) -> (DeliveryRecord, Option<DeliveryId>, Vec<Expect>, Vec<Write>) {
        let queued = self.lane.queued();
        self.write.push(Write::PutLane(self.lane));
        (self.delivery, queued, self.expect, self.write)
    }

    fn attempt(&self, end: &AttemptEnd, times: AttemptTimes) -> AttemptRecord {
        let error = end.error();
        let said = end.said();
        let result = match (end, error) {
            (AttemptEnd::Accepted(receipt), _) => receipt.outcome.as_str(),
            (_, Some(error)) if error.sent => error.kind.as_str(),
            _ => "not_sent",
        };
        AttemptRecord {
            delivery: self.delivery.id,
            number: self.delivery.attempts() + 1,
            fence: self.delivery.fence(),
            started_at: times.started_at,
            ended_at: Some(self.now),
            result: Some(result.to_owned()),
            vendor_status: said.map_or_else(|| error.and_then(|error| error.vendor_status), |said| said.status),
            vendor_said: said.map(|said| said.members.clone()).unwrap_or_default(),
            // It was written when the attempt began, and stays.
            request: None,
            error: error.map(delivery_error),
        }
    }

    fn accept(&mut self, receipt: &UpsertReceipt, took_ms: u64) {
        let prepared = &self.work.prepared;
        self.delivery.succeed(receipt, took_ms, self.now);
        let (record, version) = (&receipt.provider_customer_id, self.delivery.version());
        self.lane
            .accept(prepared, self.work.replaces_link, record, version, self.now);
    }

    /// In which form the vendor keeps what it was sent: events that come in may show it so.
    fn learn(&mut self, receipt: &UpsertReceipt, wing: &Deliveries) {
        let directory = wing.context.directory();
        let merchant = directory.get(&self.delivery.merchant);
        if let Some(merchant) = merchant.filter(|merchant| !merchant.sources.is_empty()) {
            let tells = merchant.hears_of(&self.delivery.connection);
            let region = merchant.default_region.as_deref();
            let (version, sent) = (self.delivery.version(), &self.work.prepared.sent);
            learn_from_receipt(&mut self.lane, version, sent, &receipt.fields, tells, region);
        }
    }

    /// With `on_collision = "proceed"` two customers may be one record at the vendor: both links say so.
    async fn share(&mut self, receipt: &UpsertReceipt, wing: &Deliveries) -> Result<(), StoreError> {
        if self.work.connection.on_collision == OnCollision::Refuse {
            return Ok(());
        }
        let (store, merchant, connection) = (&wing.context.store, &self.delivery.merchant, &self.delivery.connection);
        let owners = store.record_owners(merchant, connection, &receipt.provider_customer_id);
        let mut others = owners.await?;
        others.retain(|owner| *owner != self.delivery.customer);
        if others.is_empty() && linked_record(&self.work.lane, self.work).is_none() {
            // Somebody else may come to have it just now.
            self.expect.push(free(self.work, receipt));
        }
        for owner in others {
            self.lane.share_link();
            let other = store.customer(merchant, owner).await?;
            if let Some(mut lane) = other.and_then(|other| other.lane(connection).cloned())
                && lane.share_link()
            {
                self.expect.push(lane.change());
                self.write.push(Write::PutLane(lane));
            }
        }
        Ok(())
    }

    fn note_failed_call(&mut self, error: &ProviderError, times: AttemptTimes) {
        let failed = delivery_error(error);
        self.delivery.note_failed_call(&failed, error.sent, times.took_ms);
        if !error.sent && self.work.connection.counts_calls {
            let given_back = give_back_call(&self.delivery.connection, times.started_at);
            self.write.push(given_back);
        }
        match error.state {
            StateAtVendor::Unknown => self.lane.lose_call(self.delivery.version()),
            StateAtVendor::Unchanged => self.lane.end_call(),
        }
    }

    async fn park(&mut self, wing: &Deliveries) -> Result<(), StoreError> {
        let newer = wing.wait_in(&mut self.lane, &mut self.delivery, self.now).await?;
        self.write.extend(newer);
        Ok(())
    }
}

/// Whether the delivery's success is the end of its upsert, so that both are written at once.
pub(crate) fn ends_its_upsert(work: &Work, delivery: &DeliveryRecord) -> bool {
    work.sole_of.is_some() && delivery.state() == DeliveryState::Succeeded
}

/// As the API shows it.
pub(crate) fn delivery_error(error: &ProviderError) -> DeliveryError {
    DeliveryError {
        kind: error.kind,
        state_at_vendor: error.state,
        code: error.code.clone(),
        detail: error.detail.clone(),
        vendor_status: error.vendor_status,
        vendor_request_id: error.vendor_request_id.clone(),
        errors: error.errors.clone(),
        vendor_headers: error.vendor_headers.clone(),
        vendor_body: error.vendor_body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use upsert_core::{Evidence, FieldOutcomes, Outcome};

    use super::*;

    #[test]
    fn what_the_vendor_says_of_somebody_elses_record_is_not_kept() {
        let said = json!({ "email": "ann@x.example" });
        let receipt = UpsertReceipt {
            outcome: Outcome::Updated,
            evidence: Evidence::VendorSaid,
            matched_by: None,
            provider_customer_id: "rec-a".to_owned(),
            fields: FieldOutcomes::default(),
            vendor_request_id: None,
            vendor_said: VendorSaid {
                status: Some(200),
                members: said.as_object().cloned().unwrap_or_default(),
            },
        };
        let error = other_record(&receipt, "it wrote to another one");
        assert_eq!((error.vendor_status, error.vendor_body), (Some(200), None));
    }
}
