//! Which endpoints are disabled.

use upsert_store::{Applied, Disabled, StoreError, Write};

use crate::outbox::Outbox;

impl Outbox {
    /// Reads which endpoints are disabled: by the last process, or by others that work with the store too.
    pub(crate) async fn follow_endpoints(&self) -> Result<(), StoreError> {
        for record in self.context.store.endpoints().await? {
            self.context.endpoints.learn(record);
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
        loop {
            let mut record = self.context.endpoints.record(merchant, endpoint);
            let expected = record.change();
            record.disabled.clone_from(&disabled);
            let write = vec![Write::PutEndpoint(record.clone())];
            if self.write(merchant, vec![expected], write).await? == Applied::Done {
                self.context.endpoints.learn(record);
                return Ok(());
            }
            // Another process has written it.
            self.follow_endpoints().await?;
        }
    }
}
