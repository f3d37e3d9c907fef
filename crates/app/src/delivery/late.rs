//! A call that was on its way while its customer was erased.

use upsert_core::ErasureId;
use upsert_store::{RecordId, StoreError, Write};

use crate::delivery::Deliveries;
use crate::delivery::record::{AttemptEnd, Recorded};
use crate::delivery::work::Work;
use crate::outbox::races::{Race, commit_with_retry};

/// So often it is noted anew because the erasure changed meanwhile.
const MOST_RACES: usize = 16;

impl Deliveries {
    /// A result that came too late is noted where the customer was erased meanwhile: which record the vendor has, as the
    /// record of the erasure keeps it, and nothing of the person.
    pub(crate) async fn came_too_late(&self, work: &Work, end: &AttemptEnd) -> Result<Recorded, StoreError> {
        let AttemptEnd::Accepted(receipt) = end else {
            return Ok(None);
        };
        let (merchant, connection) = (&work.delivery.merchant, &work.connection.name);
        let id = ErasureId::of(work.delivery.customer);
        if self.context.store.erasure(merchant, id).await?.is_none() {
            return Ok(None);
        }
        let record = &self
            .context
            .record_hash(connection, &receipt.provider_customer_id)
            .await?;
        let noted = commit_with_retry(MOST_RACES, |_| async move {
            let Some(mut erasure) = self.context.store.erasure(merchant, id).await? else {
                return Ok(Race::Won(()));
            };
            let expect = vec![erasure.change()];
            erasure.note_record(
                connection,
                record.clone(),
                RecordId(receipt.provider_customer_id.clone()),
            );
            let applied = self
                .outbox
                .write(merchant, expect, vec![Write::PutErasure(erasure)])
                .await?;
            Ok::<_, StoreError>(Race::over(applied, ()))
        });
        noted.await?;
        tracing::warn!(
            merchant, connection, erasure = %id,
            "a vendor has written a customer who was erased while the call was on its way"
        );
        Ok(None)
    }
}
