//! Step 10: what an attempt proved, on the delivery and on the lane, in one durable transaction. A result that somebody
//! else overtook (another claim, a changed lane) is worked out anew on what is there now.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{
    ErrorKind, OnCollision, ProviderError, RetryAdvice, StateAtVendor, UpsertReceipt, VendorSaid, WaitingFor,
    Word as _, utc_day,
};
use upsert_store::{
    Adopted, Applied, AttemptRecord, Changeset, DeliveryError, DeliveryRecord, DeliveryState, Expect, Lane, Link,
    StoreError, UpsertState, Write,
};

use crate::delivery::Deliveries;
use crate::delivery::work::Work;
use crate::planning::echo::learn_from_receipt;
use crate::planning::lane::{give_back_keys, known_after, mark_accepted, mark_failed, may_be_known_by, supersede};

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

/// The delivery and the lane after it was recorded. Nothing comes back where the result came too late: somebody else
/// has claimed the delivery since.
pub(crate) type Recorded = Option<(DeliveryRecord, Lane)>;

/// Time and place of one attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptTimes {
    pub(crate) started_at: Timestamp,
    pub(crate) took_ms: u64,
}

impl Deliveries {
    /// Records it (judged: see [`judge`]), as often as the lane changes meanwhile.
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
                lane,
                now: self.context.clock.now(),
                write: Vec::new(),
            };
            recording.apply(&end, times, self).await?;
            let Recording {
                delivery,
                lane: recorded_lane,
                write,
                ..
            } = recording;
            let mut expect = vec![
                Expect::Delivery {
                    id: delivery.id,
                    fence: work.delivery.fence,
                },
                Expect::Lane {
                    customer: recorded_lane.customer,
                    connection: recorded_lane.connection.clone(),
                    revision: Some(recorded_lane.revision - 1),
                },
            ];
            expect.extend(record_is_free(work, &end));
            crash_point(points::RECORD_BEFORE_COMMIT);
            let applied = self.outbox.apply(Changeset { expect, write }).await?;
            crash_point(points::RECORD_AFTER_COMMIT);
            match applied {
                Applied::Done => return Ok(Some((delivery, recorded_lane))),
                Applied::Unmet(0) => return Ok(None),
                Applied::Unmet(2) => end = self.name_the_owner(work, end).await?,
                Applied::Unmet(_) => {}
            }
            lane = match self
                .context
                .store
                .customer(&work.delivery.merchant, work.delivery.customer)
                .await?
            {
                Some(known) => match known.lane(&work.connection.name) {
                    Some(lane) => lane.clone(),
                    None => return Ok(None),
                },
                None => return Ok(None),
            };
        }
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
    let ours = linked_record(lane, work).or(work.prepared.expected_id.as_ref());
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
fn linked_record<'a>(lane: &'a Lane, work: &Work) -> Option<&'a String> {
    let link = lane.link.as_ref().filter(|_| !work.replaces_link)?;
    Some(&link.provider_customer_id)
}

fn other_record(receipt: &UpsertReceipt, detail: &str) -> ProviderError {
    let mut error = ProviderError::new(
        ErrorKind::BrokenContract,
        StateAtVendor::Unknown,
        RetryAdvice::Never,
        detail.to_owned(),
    );
    error.code = Some("other_record".to_owned());
    let VendorSaid { status, members } = &receipt.vendor_said;
    error.vendor_status = *status;
    error.vendor_body = Some(members).filter(|said| !said.is_empty()).cloned().map(Json::Object);
    error.with_context("the vendor wrote to another record")
}

/// A new link's record must belong to nobody else, unless sharing is allowed.
fn record_is_free(work: &Work, end: &AttemptEnd) -> Option<Expect> {
    match end {
        AttemptEnd::Accepted(receipt)
            if work.connection.on_collision == OnCollision::Refuse && linked_record(&work.lane, work).is_none() =>
        {
            Some(Expect::RecordFree {
                merchant: work.delivery.merchant.clone(),
                connection: work.connection.name.clone(),
                provider_customer_id: receipt.provider_customer_id.clone(),
                customer: work.delivery.customer,
            })
        }
        _ => None,
    }
}

struct Recording<'a> {
    work: &'a Work,
    delivery: DeliveryRecord,
    lane: Lane,
    now: Timestamp,
    write: Vec<Write>,
}

impl Recording<'_> {
    async fn apply(&mut self, end: &AttemptEnd, times: AttemptTimes, wing: &Deliveries) -> Result<(), StoreError> {
        self.lane.revision += 1;
        self.lane.in_flight = None;
        self.lane.sending = None;
        self.delivery.lease_until = None;
        self.delivery.duration_ms += times.took_ms;
        self.put_attempt(end, times);
        match end {
            AttemptEnd::Accepted(receipt) => {
                self.accept(receipt);
                self.learn(receipt, wing);
                self.share(receipt, wing).await?;
            }
            AttemptEnd::Failed(error) => {
                self.count_attempt(error, times.started_at);
                // It has to say of what it failed, if only of our own limits.
                self.delivery.error.get_or_insert_with(|| delivery_error(error));
                self.fail();
            }
            AttemptEnd::Again(error, at) => {
                self.count_attempt(error, times.started_at);
                self.delivery.state = DeliveryState::Retrying;
                self.delivery.next_attempt_at = Some(*at);
                self.park(wing).await?;
            }
            AttemptEnd::Held(error, waiting_for, at) => {
                self.count_attempt(error, times.started_at);
                self.delivery.state = DeliveryState::Waiting;
                self.delivery.waiting_for = Some(*waiting_for);
                self.delivery.next_attempt_at = *at;
                if matches!(waiting_for, WaitingFor::Paused | WaitingFor::Quota) {
                    self.delivery.parked_since = Some(self.now);
                }
                self.park(wing).await?;
            }
        }
        self.write.extend(give_back_keys(&mut self.lane));
        self.write.push(Write::PutLane(self.lane.clone()));
        self.write.push(Write::PutDelivery(self.delivery.clone()));
        if ends_its_upsert(self.work, &self.delivery)
            && let Some(mut upsert) = self.work.sole_of.clone()
        {
            upsert.revision += 1;
            upsert.state = UpsertState::Succeeded;
            upsert.ended_at = Some(self.now);
            self.write.push(Write::PutUpsert(upsert));
        }
        Ok(())
    }

    fn put_attempt(&mut self, end: &AttemptEnd, times: AttemptTimes) {
        let error = end.error();
        let said = end.said();
        let result = match (end, error) {
            (AttemptEnd::Accepted(receipt), _) => receipt.outcome.as_str(),
            (_, Some(error)) if error.sent => error.kind.as_str(),
            _ => "not_sent",
        };
        self.write.push(Write::PutAttempt(AttemptRecord {
            delivery: self.delivery.id,
            number: self.delivery.attempts + 1,
            fence: self.delivery.fence,
            started_at: times.started_at,
            ended_at: Some(self.now),
            result: Some(result.to_owned()),
            vendor_status: said.map_or_else(|| error.and_then(|error| error.vendor_status), |said| said.status),
            vendor_said: said.map(|said| said.members.clone()).unwrap_or_default(),
            // It was written when the attempt began, and stays.
            request: None,
            error: error.map(delivery_error),
        }));
    }

    fn accept(&mut self, receipt: &UpsertReceipt) {
        let prepared = &self.work.prepared;
        self.delivery.attempts += 1;
        self.delivery.state = DeliveryState::Succeeded;
        self.delivery.outcome = Some(receipt.outcome);
        self.delivery.evidence = Some(receipt.evidence);
        self.delivery.matched_by = receipt.matched_by;
        self.delivery.provider_customer_id = Some(receipt.provider_customer_id.clone());
        self.delivery.fields = receipt.fields.clone();
        self.delivery.error = None;
        self.delivery.maybe_written = true;
        self.end();

        let lane = &mut self.lane;
        if self.work.replaces_link {
            lane.superseded.extend(lane.link.take());
            lane.accepted = upsert_store::Accepted::default();
        }
        let key = lane
            .link
            .as_ref()
            .filter(|link| link.claimed_by().is_none())
            .map_or_else(|| prepared.link_key.clone(), |link| link.key.clone());
        let shared = lane.link.as_ref().is_some_and(|link| link.shared);
        let adopted = lane.link.as_ref().and_then(|link| link.adopted);
        if lane.link.as_ref().is_some_and(|link| link.claimed_by().is_some()) {
            // What was accepted before was another record's.
            lane.accepted = upsert_store::Accepted::default();
        }
        lane.link = Some(Link {
            provider_customer_id: receipt.provider_customer_id.clone(),
            key,
            shared,
            adopted: adopted.map(|_| Adopted::Confirmed),
        });
        for (vendor_field, sent) in &prepared.sent {
            lane.accepted.uncertain.remove(vendor_field);
            let mut value = sent.value.clone();
            if let (true, Json::Array(ours), Some((_, Json::Array(theirs)))) =
                (sent.merged, &mut value, lane.accepted.fields.get(vendor_field))
            {
                ours.extend(
                    theirs
                        .iter()
                        .filter(|tag| !ours.contains(tag))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
            lane.accepted
                .fields
                .insert(vendor_field.clone(), (sent.pointer.clone(), value));
        }
        // Under a replaced link the old record stays at the vendor, and so do its keys.
        lane.known_by = known_after(&lane.known_by, prepared, self.work.replaces_link);
        lane.sure_keys = None;
        lane.brought = lane.brought.max(self.delivery.version);
        mark_accepted(lane, self.delivery.version, self.now);
        lane.last_delivered_at = Some(self.now);
    }

    /// In which form the vendor keeps what it was sent: events that come in may show it so.
    fn learn(&mut self, receipt: &UpsertReceipt, wing: &Deliveries) {
        let directory = wing.context.directory();
        let merchant = directory.get(&self.delivery.merchant);
        if let Some(merchant) = merchant.filter(|merchant| !merchant.sources.is_empty()) {
            let tells = merchant.hears_of(&self.delivery.connection);
            let region = merchant.default_region.as_deref();
            let (version, sent) = (self.delivery.version, &self.work.prepared.sent);
            learn_from_receipt(&mut self.lane, version, sent, &receipt.fields, tells, region);
        }
    }

    /// With `on_collision = "proceed"` two customers may be one record at the vendor: both links say so.
    async fn share(&mut self, receipt: &UpsertReceipt, wing: &Deliveries) -> Result<(), StoreError> {
        if self.work.connection.on_collision == OnCollision::Refuse {
            return Ok(());
        }
        let (merchant, connection) = (&self.delivery.merchant, &self.delivery.connection);
        for owner in wing
            .context
            .store
            .record_owners(merchant, connection, &receipt.provider_customer_id)
            .await?
        {
            if owner == self.delivery.customer {
                continue;
            }
            if let Some(link) = &mut self.lane.link {
                link.shared = true;
            }
            let other = wing.context.store.customer(merchant, owner).await?;
            if let Some(mut lane) = other.and_then(|other| other.lane(connection).cloned())
                && let Some(link) = lane.link.as_mut().filter(|link| !link.shared)
            {
                link.shared = true;
                lane.revision += 1;
                self.write.push(Write::PutLane(lane));
            }
        }
        Ok(())
    }

    fn count_attempt(&mut self, error: &ProviderError, started_at: Timestamp) {
        if error.sent {
            self.delivery.attempts += 1;
        } else if self.work.connection.counts_calls {
            self.write.push(Write::GiveBackCall {
                merchant: self.delivery.merchant.clone(),
                connection: self.delivery.connection.clone(),
                day: utc_day(started_at),
            });
        }
        // That the gateway itself held it back is said by `waiting_for`: the vendor's last words stay.
        if error.sent {
            self.delivery.error = Some(delivery_error(error));
        }
        if error.state == StateAtVendor::Unknown {
            self.delivery.maybe_written = true;
            self.lane.brought = self.lane.brought.max(self.delivery.version);
            let prepared = &self.work.prepared;
            may_be_known_by(&mut self.lane, &prepared.known_by);
            for (vendor_field, sent) in &prepared.sent {
                self.lane.accepted.uncertain.insert(vendor_field.clone());
                // Whose field it is has to be known, should it be cleared before it is sent again.
                let unseen = || (sent.pointer.clone(), Json::Null);
                self.lane
                    .accepted
                    .fields
                    .entry(vendor_field.clone())
                    .or_insert_with(unseen);
            }
        }
    }

    fn fail(&mut self) {
        self.delivery.state = DeliveryState::Failed;
        mark_failed(&mut self.lane, self.delivery.version);
        self.end();
    }

    fn end(&mut self) {
        self.delivery.waiting_for = None;
        self.delivery.next_attempt_at = None;
        self.delivery.ended_at = Some(self.now);
    }

    /// It waits in the lane, or gives way to a newer one that does already.
    async fn park(&mut self, wing: &Deliveries) -> Result<(), StoreError> {
        let newer = match self.lane.queued {
            Some(id) => wing.context.store.delivery(id).await?,
            None => None,
        };
        match newer {
            None => self.lane.queued = Some(self.delivery.id),
            Some(mut newer) => {
                supersede(&mut self.delivery, &mut newer, self.now);
                self.write.push(Write::PutDelivery(newer));
            }
        }
        Ok(())
    }
}

/// Whether the delivery's success is the end of its upsert, so that both are written at once.
pub(crate) fn ends_its_upsert(work: &Work, delivery: &DeliveryRecord) -> bool {
    work.sole_of.is_some() && delivery.state == DeliveryState::Succeeded
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
        vendor_body: error.vendor_body.clone(),
    }
}
