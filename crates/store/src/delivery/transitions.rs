//! The ways from one state of a delivery to another, and there are no others. Each says from which states it leads, and
//! keeps the fence and the clock of what is parked.

use std::sync::Arc;

use jiff::Timestamp;

use upsert_api::{DeliveryError, DeliveryState};
use upsert_core::{DeliveryId, Evidence, FieldOutcomes, Outcome, StateAtVendor, UpsertReceipt, WaitingFor};

use super::DeliveryRecord;
use super::progress::{Course, Progress, Success};
use crate::upsert::UpsertRecord;
use DeliveryState::{Failed, InFlight, Pending, Retrying, Superseded, Waiting};

const TO_BE_TRIED: &[DeliveryState] = &[Pending, Retrying, Waiting];

impl DeliveryRecord {
    /// A new one of this upsert, with this number among its deliveries (from 1), due at once.
    pub fn new(part: u16, upsert: &UpsertRecord, connection: &str, provider: &str, required: bool) -> Self {
        Self {
            id: DeliveryId::of(upsert.id, part),
            merchant: upsert.merchant.clone(),
            customer: upsert.customer,
            connection: connection.to_owned(),
            provider: provider.to_owned(),
            required,
            version: upsert.version,
            course: Course {
                progress: Progress::Pending { due: upsert.created_at },
                last_error: None,
            },
            took_over: Vec::new(),
            attempts: 0,
            duration_ms: 0,
            warnings: Arc::default(),
            force: false,
            priority: upsert_core::Priority::Interactive,
            fence: 0,
            created_at: upsert.created_at,
            parked_ms: 0,
            parked_since: None,
            maybe_written: false,
            attempts_forgotten: false,
            traceparent: None,
            tracestate: None,
        }
    }

    /// Somebody takes it to plan it anew, on this version of the customer: whoever took it before comes too late.
    pub fn claim(&mut self, version: u64, now: Timestamp) {
        self.expects(TO_BE_TRIED);
        self.fence += 1;
        self.version = version;
        self.unpark(now);
    }

    /// One that was claimed goes out.
    pub fn start(&mut self, lease_until: Timestamp) {
        self.expects(TO_BE_TRIED);
        self.course.go_on(Progress::InFlight {
            lease_until: Some(as_kept(lease_until)),
        });
    }

    /// A new one goes out with the commit that makes it: that is its first claim.
    pub fn start_at_once(&mut self, lease_until: Timestamp) {
        self.expects(&[Pending]);
        self.fence = 1;
        self.start(lease_until);
    }

    /// The vendor accepted the call.
    pub fn succeed(&mut self, receipt: &UpsertReceipt, took_ms: u64, now: Timestamp) {
        self.expects(&[InFlight]);
        self.attempts += 1;
        self.duration_ms += took_ms;
        self.maybe_written = true;
        self.end_well(Success {
            outcome: receipt.outcome,
            evidence: receipt.evidence,
            matched_by: receipt.matched_by,
            provider_customer_id: Some(receipt.provider_customer_id.clone()),
            fields: receipt.fields.clone(),
            ended_at: now,
        });
    }

    /// The vendor has all of it: no call. `linked_to`: its id of the record.
    pub fn end_unchanged(&mut self, linked_to: Option<&str>, now: Timestamp) {
        self.expects(TO_BE_TRIED);
        self.end_well(Success {
            outcome: Outcome::Unchanged,
            // Without a link nothing of it is wanted there.
            evidence: linked_to.map_or(Evidence::None, |_| Evidence::Link),
            matched_by: None,
            provider_customer_id: linked_to.map(str::to_owned),
            fields: FieldOutcomes::default(),
            ended_at: now,
        });
    }

    fn end_well(&mut self, success: Success) {
        self.course.go_on(Progress::Succeeded(Box::new(success)));
        self.course.last_error = None;
    }

    /// The call did not end well; what that leads to is said next. Of one that was not sent at all the error is not kept:
    /// what the vendor said last is worth more.
    pub fn note_failed_call(&mut self, error: &DeliveryError, was_sent: bool, took_ms: u64) {
        self.expects(&[InFlight]);
        self.duration_ms += took_ms;
        self.maybe_written |= error.state_at_vendor == StateAtVendor::Unknown;
        if was_sent {
            self.attempts += 1;
            self.course.last_error = Some(Box::new(error.clone()));
        }
    }

    /// The call is made again.
    pub fn retry_at(&mut self, due: Timestamp) {
        self.expects(&[InFlight]);
        self.course.go_on(Progress::Retrying { due: as_kept(due) });
    }

    /// It is not to be tried now. Time that it waits for a pause or a quota is not its own.
    pub fn wait(&mut self, waiting_for: WaitingFor, until: Option<Timestamp>, now: Timestamp) {
        self.expects(&[InFlight, Pending, Retrying, Waiting]);
        if matches!(waiting_for, WaitingFor::Paused | WaitingFor::Quota) {
            self.parked_since = self.parked_since.or(Some(now));
        }
        let until = until.map(as_kept);
        self.course.go_on(Progress::Waiting { waiting_for, until });
    }

    /// It stays as it is, and is looked at again then.
    pub fn look_again_at(&mut self, at: Timestamp) {
        self.expects(TO_BE_TRIED);
        let at = as_kept(at);
        match &mut self.course.progress {
            Progress::Pending { due } | Progress::Retrying { due } => *due = at,
            Progress::Waiting { until, .. } => *until = Some(at),
            _ => {}
        }
    }

    /// It fails for good: of what was noted of its call, or of this where none was sent.
    pub fn fail(&mut self, error: DeliveryError, now: Timestamp) {
        self.expects(&[InFlight, Pending]);
        let noted = self.course.last_error.take();
        self.end_failed(noted.unwrap_or_else(|| Box::new(error)), now);
    }

    /// It fails without another call. What the vendor said last stays with it.
    pub fn fail_unsent(&mut self, error: DeliveryError, now: Timestamp) {
        self.expects(TO_BE_TRIED);
        let last = self
            .course
            .last_error
            .take()
            .filter(|last| last.vendor_status.is_some());
        let error = match last {
            Some(last) => DeliveryError {
                kind: error.kind,
                state_at_vendor: error.state_at_vendor,
                detail: format!("{}; before that: {}", error.detail, last.detail),
                code: error.code.or(last.code),
                ..*last
            },
            None => error,
        };
        self.end_failed(Box::new(error), now);
    }

    fn end_failed(&mut self, error: Box<DeliveryError>, ended_at: Timestamp) {
        self.course.go_on(Progress::Failed { error, ended_at });
    }

    /// An operator gives it up. Whoever has read it and not written yet (a claim, a replay) comes too late.
    pub fn discard(&mut self, now: Timestamp) {
        self.expects(&[Pending, Retrying, Waiting, Failed]);
        self.fence += 1;
        let ended_at = self.ended_at().unwrap_or(now);
        self.course.go_on(Progress::Discarded { ended_at });
    }

    /// A newer one goes in its place, and takes over its due time and attempts. Both are found by their lane, which was
    /// read before them: either may have gone on meanwhile, and then the lane's revision refuses what comes of this.
    pub fn give_way_to(&mut self, newer: &mut Self, now: Timestamp) {
        if TO_BE_TRIED.contains(&self.state()) {
            newer.course.progress = self.course.progress.clone();
            // Its age counts from when it was made itself, so what the older one was parked before is no credit.
            newer.parked_since = self.parked_since.map(|since| since.max(newer.created_at));
        }
        newer.attempts = self.attempts;
        newer.course.last_error.clone_from(&self.course.last_error);
        newer.force |= self.force;
        self.superseded_by_newer(newer, now);
    }

    /// It has failed, and a new one is made in its place: a fresh start, so what this one spent and was told is not the
    /// new one's.
    pub fn give_way_to_replay(&mut self, replay: &mut Self, now: Timestamp) {
        self.expects(&[Failed]);
        replay.expects(&[Pending]);
        self.superseded_by_newer(replay, now);
    }

    fn superseded_by_newer(&mut self, newer: &mut Self, now: Timestamp) {
        newer.maybe_written |= self.maybe_written;
        // Should it be taken up again, the time in between was no time that it was parked.
        self.unpark(now);
        // Whoever has read the older one and not written yet (a release, a pause) comes too late now.
        self.fence += 1;
        // And whoever has read the newer one without what it takes over.
        newer.fence += 1;
        newer.took_over.push(self.id);
        self.course.go_on(Progress::Superseded {
            by: newer.id,
            ended_at: now,
        });
    }

    /// What it gave way to is taken back: it is to be tried after all.
    pub fn take_up_again(&mut self, now: Timestamp) {
        self.expects(&[Superseded]);
        self.fence += 1;
        self.course.go_on(Progress::Retrying { due: now });
    }

    /// Whoever sent it is gone, and nobody knows what became of the call: it is due again.
    pub fn take_back(&mut self, error: DeliveryError, now: Timestamp) {
        self.expects(&[InFlight]);
        self.attempts += 1;
        self.fence += 1;
        self.maybe_written = true;
        self.course.go_on(Progress::Retrying { due: now });
        self.course.last_error = Some(Box::new(error));
    }

    /// It is over, and whoever puts it forgets its attempts.
    pub fn forget_attempts(&mut self) {
        debug_assert!(self.state().has_ended(), "{} is {}", self.id, self.state());
        self.attempts_forgotten = true;
    }

    /// Whether its attempts are forgotten: how many there were is all that is known of them.
    pub const fn attempts_are_forgotten(&self) -> bool {
        self.attempts_forgotten
    }

    /// The greatest number that an attempt of it may have: one that was begun and not sent does not count.
    pub const fn last_attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }

    /// The clock of what is parked stands still again.
    fn unpark(&mut self, now: Timestamp) {
        if let Some(since) = self.parked_since.take() {
            self.parked_ms += u64::try_from(now.duration_since(since).as_millis()).unwrap_or_default();
        }
    }

    /// The store's expectations see to it that nobody comes from elsewhere; whoever does has a mistake in it.
    fn expects(&self, states: &[DeliveryState]) {
        debug_assert!(states.contains(&self.state()), "{} is {}", self.id, self.state());
    }
}

/// Whole microseconds: a moment has to read the same before and after it was stored, and what is added to a clock's time
/// may be any time.
fn as_kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use upsert_core::{CustomerId, IdSource, SystemClock};

    use super::*;

    #[test]
    fn a_moment_of_any_precision_reads_the_same_before_and_after_it_was_stored() {
        let ids = IdSource::new(Arc::new(SystemClock));
        let odd = Timestamp::from_nanosecond(1_790_000_000_123_456_789).unwrap();
        let (customer, now): (CustomerId, _) = (ids.customer("acme"), Timestamp::UNIX_EPOCH);
        let upsert = UpsertRecord::new(ids.upsert("acme"), "acme", customer, 1, "a key", now);
        let new = || DeliveryRecord::new(1, &upsert, "crm", "rotor", true);
        let [mut sent, mut retried, mut waits, mut looked_at] = [new(), new(), new(), new()];
        sent.start(odd);
        retried.start(odd);
        retried.retry_at(odd);
        waits.wait(WaitingFor::Quota, Some(odd), now);
        looked_at.look_again_at(odd);
        for delivery in [sent, retried, waits, looked_at] {
            let stored = serde_json::to_string(&delivery).unwrap();
            assert_eq!(serde_json::from_str::<DeliveryRecord>(&stored).unwrap(), delivery);
        }
    }
}
