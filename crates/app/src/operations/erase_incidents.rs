//! What vendors said in deliveries of an erased customer, where incidents keep it.

use upsert_core::CustomerId;
use upsert_store::{Applied, ErasureRecord, IncidentFilter, IncidentRecord, StoreError, Write};

use crate::operations::Operations;

/// Incidents that are looked at together.
const AT_ONCE: usize = 100;

impl Operations {
    /// Forgets it; that the customer was touched stays, by the id alone. Nobody adds to it: whoever writes a vendor's words into
    /// an incident expects that their customer was not erased.
    pub(super) async fn forget_words_in_incidents(&self, erasure: &ErasureRecord) -> Result<(), StoreError> {
        let filter = IncidentFilter {
            merchants: Some([erasure.merchant.clone()].into()),
            ..IncidentFilter::default()
        };
        let mut before = None;
        loop {
            let page = self.context.store.incidents(&filter, before, AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before = Some(last.id);
            for incident in page {
                self.forget_words(incident, erasure.id.customer()).await?;
            }
        }
    }

    async fn forget_words(&self, mut incident: IncidentRecord, customer: CustomerId) -> Result<(), StoreError> {
        loop {
            let expected = incident.change();
            if !incident.forget_words_of(customer) {
                return Ok(());
            }
            let (merchant, id) = (incident.merchant.clone(), incident.id);
            let write = vec![Write::PutIncident(incident)];
            if self.outbox.write(&merchant, vec![expected], write).await? == Applied::Done {
                return Ok(());
            }
            // Somebody has written it meanwhile.
            match self.context.store.incident(&merchant, id).await? {
                Some(newer) => incident = newer,
                None => return Ok(()),
            }
        }
    }
}
