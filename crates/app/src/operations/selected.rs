//! Which deliveries a selection means.

use jiff::{SignedDuration, Timestamp};

use upsert_api::{DeliveriesDone, DeliverySelection, Visibility};
use upsert_core::{DeliveryId, Problem};
use upsert_store::DeliveryRecord;

use crate::operations::Operations;
use crate::problem::Refusal;
use crate::queries::deliveries::covered_code;
use crate::queries::page::from_cursor;

/// A dry run counts up to this.
const MOST_COUNTED: usize = 10_000;
/// Deliveries read at once.
const PAGE: usize = 200;
/// Pages that are read for one request; where matches are rare the caller goes on with the cursor.
const MOST_PAGES: usize = 100;

impl Operations {
    /// How many they are.
    pub(crate) async fn counted(&self, selection: &DeliverySelection) -> Result<DeliveriesDone, Refusal> {
        // Before it counts: what is done with this moment is at most what was counted.
        let counted_at = self.context.clock.now();
        let counted = self
            .context
            .store
            .count_deliveries(&selection.filter, MOST_COUNTED)
            .await?;
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
        let mut below = begins.map_err(in_body)?.map(DeliveryId::from_uuid);
        let mut filter = selection.filter.clone();
        // What was made later need not be read.
        let counted_until = selection
            .counted_at
            .and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
        filter.until = filter.until.into_iter().chain(counted_until).min();
        let mut found = Vec::new();
        for _page in 0..MOST_PAGES {
            let limit = PAGE.min(selection.limit - found.len());
            let page = self.context.store.deliveries(&filter, below, limit).await?;
            found.extend(
                page.entries
                    .into_iter()
                    .filter(|one| was_counted(one, selection.counted_at)),
            );
            below = page.next;
            if below.is_none() || found.len() == selection.limit {
                break;
            }
        }
        Ok((found, below))
    }
}

/// Whether it was there, and had ended if it has ended, when they were counted.
fn was_counted(delivery: &DeliveryRecord, counted_at: Option<Timestamp>) -> bool {
    counted_at.is_none_or(|at| delivery.created_at <= at && delivery.ended_at.is_none_or(|ended| ended <= at))
}

/// The selection asks for nothing that would be covered.
pub(crate) fn check_code(selection: &DeliverySelection, visibility: Visibility) -> Result<(), Refusal> {
    match covered_code(&selection.filter, visibility) {
        Some(problem) => Err(in_body(Refusal::invalid_query(vec![problem]))),
        None => Ok(()),
    }
}

/// A problem of a query parameter, as one of a body's member.
fn in_body(refusal: Refusal) -> Refusal {
    let by_pointer = |problem: Problem| Problem {
        pointer: format!("/{}", problem.pointer),
        ..problem
    };
    Refusal::invalid(refusal.errors.into_iter().map(by_pointer).collect())
}
