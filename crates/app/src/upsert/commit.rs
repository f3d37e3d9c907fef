//! Step 8: customer version, upsert, deliveries with their first attempt, key reservations and the idempotency record,
//! in one durable transaction. Before it nothing was stored and nothing sent; from here on nothing is lost. What is
//! written is drawn up in `draft.rs`.

use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Applied, DeliveryRecord, Expect, Lane};

use crate::audit::act::Act;
use crate::delivery::work::Committed;
use crate::outbox::races::Race;
use crate::planning::plan::Planned;
use crate::problem::Refusal;
use crate::runtime::metrics::count_ignored;
use crate::runtime::tracing::CommitSpan;
use crate::upsert::Upserts;
use crate::upsert::draft::{Building, Draft};
use crate::upsert::idempotency::in_progress;
use crate::upsert::tombstones::lift;

impl Upserts {
    /// `acts`: what the audit trail tells of it.
    ///
    /// # Errors
    /// Another request with the same idempotency key was faster.
    pub(crate) async fn commit(&self, draft: Draft<'_>, acts: &[Act]) -> Result<Race<Committed>, Refusal> {
        let mut building = Building::new(self, &draft);
        for planned in &draft.plans {
            building.add(planned, self.queued_in(&draft.asked.merchant.id, planned).await?);
        }
        let (mut changes, committed) = building.finish();
        lift(&draft.identified.revived, self.context.clock.now(), &mut changes);
        let expect = changes.expect.clone();
        crash_point(points::UPSERT_BEFORE_COMMIT);
        let span = CommitSpan::begin(
            self.context.spans.as_deref(),
            &committed.upsert,
            draft.asked.command.trace(),
        );
        let applied = if acts.is_empty() {
            self.outbox.apply(changes).await?
        } else {
            Box::pin(self.outbox.apply_audited(changes, acts)).await?
        };
        span.end(&applied);
        crash_point(points::UPSERT_AFTER_COMMIT);
        if let Applied::Unmet(index) = applied
            && matches!(expect.get(index), Some(Expect::IdempotencyFree { .. }))
        {
            return Err(in_progress());
        }
        if applied == Applied::Done {
            count_ignored(&committed.upsert.merchant, &committed.upsert.ignored);
        }
        Ok(Race::of(applied, &expect, committed))
    }

    /// The delivery that waits in the lane: a new one takes its place.
    async fn queued_in(&self, merchant: &str, planned: &Planned) -> Result<Option<DeliveryRecord>, Refusal> {
        match planned.lane.as_ref().and_then(Lane::queued) {
            Some(id) => Ok(self.context.store.delivery(merchant, id).await?),
            None => Ok(None),
        }
    }
}
