//! Which deliveries a selection means.

use futures_util::{Stream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};

use upsert_api::{DeliveriesDone, DeliverySelection, ProblemCode, Visibility};
use upsert_core::{DeliveryId, Problem};
use upsert_store::DeliveryRecord;

use crate::operations::Operations;
use crate::problem::Refusal;
use crate::queries::deliveries::covered_code;
use crate::queries::page::{from_cursor, gather};

/// Refusals that an answer tells one by one.
const MOST_TOLD: usize = 100;
/// A dry run counts up to this.
const MOST_COUNTED: usize = 10_000;

impl Operations {
    /// How many they are.
    pub(crate) async fn counted(&self, selection: &DeliverySelection) -> Result<DeliveriesDone, Refusal> {
        // Before it counts: what is done with this moment is at most what was counted.
        let counted_at = self.context.clock.now();
        let (store, filter) = (&self.context.store, self.context.at_merchants(&selection.filter).await?);
        let counted = store.count_deliveries(&filter, MOST_COUNTED).await?;
        Ok(DeliveriesDone {
            dry_run: true,
            matched: counted.count,
            more: !counted.is_all,
            counted_at: Some(counted_at),
            ..DeliveriesDone::default()
        })
    }

    /// As many as are asked for, newest first, and where to go on.
    pub(crate) async fn found(
        &self,
        selection: &DeliverySelection,
    ) -> Result<(Vec<DeliveryRecord>, Option<DeliveryId>), Refusal> {
        let begins = selection.cursor.as_deref().map(from_cursor).transpose();
        let below = begins.map_err(in_body)?.map(DeliveryId::from_uuid);
        let mut filter = self.context.at_merchants(&selection.filter).await?;
        // What was made later need not be read.
        let counted_until = selection
            .counted_at
            .and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
        filter.until = filter.until.into_iter().chain(counted_until).min();
        let (filter, store) = (&filter, &self.context.store);
        gather(selection.limit, below, |below, most| async move {
            let mut page = store.deliveries(filter, below, most).await?;
            page.entries.retain(|one| was_counted(one, selection.counted_at));
            Ok::<_, Refusal>((page.entries, page.next))
        })
        .await
    }
}

/// What became of each of those that were found.
pub(crate) struct Tally<I> {
    pub(crate) done: usize,
    pub(crate) refused: Vec<(I, Refusal)>,
}

impl<I: Copy> Tally<I> {
    /// Of all outcomes; several may have had one.
    pub(crate) async fn of(outcomes: impl Stream<Item = (Vec<I>, Result<(), Refusal>)>) -> Self {
        let (done, refused) = (0, Vec::new());
        let add = async |mut tally: Self, (ids, outcome): (Vec<I>, Result<(), Refusal>)| {
            match outcome {
                Ok(()) => tally.done += ids.len(),
                Err(refusal) => tally.refused.extend(ids.into_iter().map(|id| (id, refusal.clone()))),
            }
            tally
        };
        outcomes.fold(Self { done, refused }, add).await
    }

    /// Refusals as they are told, as far as they are told one by one.
    pub(crate) fn told<R>(&self, refused: impl Fn(I, ProblemCode, String) -> R) -> Vec<R> {
        let first = self.refused.iter().take(MOST_TOLD);
        first
            .map(|(id, why)| refused(*id, why.code, why.detail.clone()))
            .collect()
    }
}

/// Whether it was there, and had ended if it has ended, when they were counted.
fn was_counted(delivery: &DeliveryRecord, counted_at: Option<Timestamp>) -> bool {
    counted_at.is_none_or(|at| delivery.created_at <= at && delivery.ended_at().is_none_or(|ended| ended <= at))
}

/// The selection asks for nothing that would be covered.
pub(crate) fn check_code(selection: &DeliverySelection, visibility: Visibility) -> Result<(), Refusal> {
    match covered_code(&selection.filter, visibility) {
        Some(problem) => Err(in_body(Refusal::invalid_query(vec![problem]))),
        None => Ok(()),
    }
}

/// A problem of a query parameter, as one of a body's member.
pub(crate) fn in_body(refusal: Refusal) -> Refusal {
    let by_pointer = |problem: Problem| Problem {
        pointer: format!("/{}", problem.pointer),
        ..problem
    };
    Refusal::invalid(refusal.errors.into_iter().map(by_pointer).collect())
}
