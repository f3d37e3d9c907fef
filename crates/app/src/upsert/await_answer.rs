//! When the caller is answered: as soon as every required delivery has ended, or none of those still open could end
//! before the merchant's deadline, or the deadline is over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use upsert_api::ProblemCode;
use upsert_core::{DeliveryId, ErasureId, Priority, UpsertId, WaitingFor};
use upsert_store::{CustomerRecord, DeliveryRecord, DeliveryState, StoreError, UpsertRecord, UpsertState};

use crate::delivery::deliver::Progress;
use crate::delivery::work::Committed;
use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::command::UpsertCommand;
use crate::view::answer::{Answer, Answering};

/// How soon whoever waits for what another process brings looks at the store, as a part of how often later on.
const FIRST_LOOK: u32 = 10;

/// How often those who wait for a place look whether the breaker has opened meanwhile: that reads no store.
const BREAKER_CHECK: Duration = Duration::from_secs(1);

impl Upserts {
    pub(crate) async fn await_answer(
        &self,
        merchant: &Arc<Merchant>,
        committed: Committed,
        progress: Progress,
        command: &UpsertCommand,
    ) -> Result<Answer, Refusal> {
        let mut waiting = Waiting::new(self, merchant, committed, progress);
        if !command.respond_async {
            waiting.until_answerable().await;
            if waiting.is_gone && self.is_erased(&waiting.upsert).await {
                return Err(erased_since());
            }
        }
        let mut upsert = waiting.upsert.clone();
        let has_failed = |delivery: &DeliveryRecord| delivery.state() == DeliveryState::Failed;
        let mut effective = waiting.effective.iter();
        if effective.clone().all(|delivery| delivery.state().has_ended()) && effective.any(has_failed) {
            // Whether it was taken back stands in the answer.
            Box::pin(self.deliveries.settle(&upsert.merchant, upsert.id)).await;
            match self.context.store.upsert(&upsert.merchant, upsert.id).await {
                Ok(Some((settled, _))) => upsert = settled,
                Ok(None) => {}
                Err(error) => not_seen(&upsert, &error),
            }
        }
        let answering = Answering {
            upsert: &upsert,
            record: &waiting.record,
            own: &waiting.own,
            effective: &waiting.effective,
            request_id: &command.request_id,
            instance: instance(command.route),
            now: self.context.clock.now(),
        };
        Ok(if command.respond_async {
            answering.accepted()
        } else {
            answering.answer()
        })
    }

    async fn is_erased(&self, upsert: &UpsertRecord) -> bool {
        let id = ErasureId::of(upsert.customer);
        match self.context.store.erasure(&upsert.merchant, id).await {
            Ok(erasure) => erasure.is_some(),
            Err(error) => {
                not_seen(upsert, &error);
                false
            }
        }
    }

    /// How an upsert stands now, as it would have been answered.
    pub(crate) async fn upsert_answer(
        &self,
        merchant: &Arc<Merchant>,
        id: UpsertId,
        request_id: Option<&str>,
    ) -> Result<Option<Answer>, Refusal> {
        let Some((mut upsert, own)) = self.context.store.upsert(&merchant.id, id).await? else {
            return Ok(None);
        };
        let effective = self.deliveries.effective(own.clone()).await?;
        let has_ended = effective.iter().all(|delivery| delivery.state().has_ended());
        if upsert.state() == UpsertState::Pending && has_ended {
            // The process died in between, or it gave way to another one.
            self.deliveries.settle(&merchant.id, id).await;
            if let Some((settled, _)) = self.context.store.upsert(&merchant.id, id).await? {
                upsert = settled;
            }
        }
        let Some(record) = self.context.record_at(&upsert).await? else {
            return Ok(None);
        };
        let answering = Answering {
            upsert: &upsert,
            record: &record,
            own: &own,
            effective: &effective,
            request_id: request_id.unwrap_or_default(),
            instance: "/v1/customers",
            now: self.context.clock.now(),
        };
        Ok(Some(if request_id.is_some() {
            answering.answer()
        } else {
            answering.shown()
        }))
    }
}

/// 409: who it is about was erased while its caller waited.
fn erased_since() -> Refusal {
    let detail =
        "the customer was erased before the request could be answered: nothing more of it is sent, and nothing is kept";
    Refusal::new(ProblemCode::Erased, detail)
}

fn instance(route: &'static str) -> &'static str {
    route.split_once(' ').map_or(route, |(_, path)| path)
}

fn not_seen(upsert: &UpsertRecord, error: &StoreError) {
    tracing::warn!(upsert_id = %upsert.id, %error, "how an upsert stands could not be read; its caller is told what is known");
}

struct Waiting<'a> {
    wing: &'a Upserts,
    merchant: &'a Merchant,
    upsert: UpsertRecord,
    record: CustomerRecord,
    started: HashSet<DeliveryId>,
    /// In the order of the connections.
    own: Vec<DeliveryRecord>,
    /// The same, successors in the place of superseded ones.
    effective: Vec<DeliveryRecord>,
    progress: Progress,
    /// Whether somebody tells still how calls of this request end.
    is_told: bool,
    /// Whether a delivery is not there any more.
    is_gone: bool,
    deadline: Instant,
    deadline_at: Timestamp,
}

impl<'a> Waiting<'a> {
    fn new(wing: &'a Upserts, merchant: &'a Merchant, committed: Committed, progress: Progress) -> Self {
        let wait = SignedDuration::try_from(merchant.sync_deadline).unwrap_or(SignedDuration::MAX);
        let own = committed.deliveries.iter();
        let started = own.filter(|delivery| delivery.state() == DeliveryState::InFlight);
        Self {
            wing,
            merchant,
            started: started.map(|delivery| delivery.id).collect(),
            effective: committed.deliveries.clone(),
            own: committed.deliveries,
            deadline: Instant::now() + merchant.sync_deadline,
            deadline_at: committed.upsert.created_at.checked_add(wait).unwrap_or(Timestamp::MAX),
            upsert: committed.upsert,
            record: committed.record,
            progress,
            is_told: true,
            is_gone: false,
        }
    }

    fn note(&mut self, news: DeliveryRecord) {
        if let Some(own) = self.own.iter_mut().find(|own| own.id == news.id) {
            *own = news;
        }
    }

    async fn until_answerable(&mut self) {
        let wing = self.wing;
        let bell = wing.context.notifier.listen(self.record.id);
        let mut is_news = true;
        let (is_shared, later_looks) = (wing.context.store.is_shared(), wing.context.look_every);
        let mut until_look = if is_shared {
            later_looks / FIRST_LOOK
        } else {
            BREAKER_CHECK
        };
        loop {
            // Armed before the state is read, so that nothing that happens in between is missed.
            let rung = bell.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            if is_news {
                self.look().await;
            }
            is_news = true;
            if self.is_answerable() {
                return;
            }
            tokio::select! {
                news = self.progress.recv(), if self.is_told => match news {
                    Some(delivery) => self.note(delivery),
                    None => self.is_told = false,
                },
                () = rung => {}
                () = tokio::time::sleep(until_look) => {
                    is_news = is_shared;
                    until_look = (until_look * 2).min(later_looks);
                }
                () = tokio::time::sleep_until(self.deadline) => return self.look().await,
            }
        }
    }

    /// Brings `own` and `effective` up to date, as far as the store can tell now: the upsert is durable, so a store that
    /// is too busy to be asked must not have the caller told that it was refused.
    async fn look(&mut self) {
        if let Err(error) = self.try_look().await {
            not_seen(&self.upsert, &error);
        }
    }

    /// Deliveries of this request tell their news themselves; those that wait behind somebody else's are looked up.
    async fn try_look(&mut self) -> Result<(), StoreError> {
        while let Ok(delivery) = self.progress.try_recv() {
            self.note(delivery);
        }
        for index in 0..self.own.len() {
            let own = &self.own[index];
            // Its first attempt runs on this request's own task, which tells how it ends.
            let is_first = own.fence() == 1 && own.state() == DeliveryState::InFlight;
            let is_told = self.is_told && self.started.contains(&own.id) && is_first;
            // One that gave way may be taken up again, if what it gave way to is taken back.
            if !is_told && (!own.state().has_ended() || own.superseded_by().is_some()) {
                match self.wing.context.store.delivery(&own.merchant, own.id).await? {
                    Some(stored) => self.own[index] = stored,
                    // Its customer was erased: nothing more becomes of it.
                    None => self.is_gone = true,
                }
            }
            let own = self.own[index].clone();
            self.effective[index] = self.wing.deliveries.standing_for(own).await?;
        }
        Ok(())
    }

    fn is_answerable(&self) -> bool {
        // One that failed for good decides already, whatever the others do: but they are waited for, so that the
        // answer shows them.
        let is_open = |delivery: &&DeliveryRecord| delivery.required && !delivery.state().has_ended();
        let mut open = self.effective.iter().filter(is_open);
        self.is_gone || !open.any(|delivery| self.could_end(delivery))
    }

    /// Whether the breaker of its connection has opened since.
    fn is_shut(&self, delivery: &DeliveryRecord) -> bool {
        let connection = self.merchant.connection(&delivery.connection);
        let room = connection.map(|connection| connection.status.room(Priority::Interactive));
        matches!(room, Some(Err(held)) if held.waiting_for == WaitingFor::Breaker)
    }

    /// Whether it could end before the deadline.
    fn could_end(&self, delivery: &DeliveryRecord) -> bool {
        match (delivery.state(), delivery.waiting_for()) {
            (_, Some(WaitingFor::Predecessor)) => true,
            // When the breaker's time is over one call finds out whether the vendor is back; nobody is kept waiting for it.
            (_, Some(WaitingFor::Breaker)) => false,
            (DeliveryState::Waiting | DeliveryState::Retrying, _) => {
                delivery.next_attempt_at().is_some_and(|at| at < self.deadline_at) && !self.is_shut(delivery)
            }
            _ => true,
        }
    }
}
