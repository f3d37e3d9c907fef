//! Which endpoints are disabled.

use upsert_store::{Applied, Disabled, EndpointRecord, StoreError, Write};

use crate::outbox::Outbox;

impl Outbox {
    /// Reads which endpoints were disabled when the last process ended.
    pub(crate) async fn load_endpoints(&self) -> Result<(), StoreError> {
        for record in self.context.store.endpoints().await? {
            self.context
                .endpoints
                .set_disabled(&record.merchant, &record.endpoint, record.disabled);
        }
        Ok(())
    }

    /// Disables an endpoint, or has it go on, durably.
    pub(crate) async fn set_disabled(
        &self,
        merchant: &str,
        endpoint: &str,
        disabled: Option<Disabled>,
    ) -> Result<(), StoreError> {
        let record = EndpointRecord {
            merchant: merchant.to_owned(),
            endpoint: endpoint.to_owned(),
            disabled: disabled.clone(),
        };
        let write = vec![Write::PutEndpoint(record)];
        if self.write(merchant, Vec::new(), write).await? == Applied::Done {
            self.context.endpoints.set_disabled(merchant, endpoint, disabled);
        }
        Ok(())
    }
}
