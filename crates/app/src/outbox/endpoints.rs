//! Which endpoints are disabled.

use upsert_store::{Applied, Changeset, Disabled, StoreError, Write};

use crate::audit::act::Act;
use crate::outbox::Outbox;

impl Outbox {
    /// Reads which endpoints are disabled: by the last process, or by others that work with the store too.
    pub(crate) async fn follow_endpoints(&self) -> Result<(), StoreError> {
        for record in self.context.store.endpoints().await? {
            self.context.endpoints.learn(record);
        }
        Ok(())
    }

    /// Disables an endpoint, or has it go on, durably; `acts`: what the audit trail tells of it.
    pub(crate) async fn set_disabled(
        &self,
        merchant: &str,
        endpoint: &str,
        disabled: Option<Disabled>,
        acts: &[Act],
    ) -> Result<(), StoreError> {
        loop {
            let mut record = self.context.endpoints.record(merchant, endpoint);
            let expected = record.change();
            record.disabled.clone_from(&disabled);
            let changes = Changeset {
                expect: vec![expected],
                write: vec![Write::PutEndpoint(record.clone())],
                ..Changeset::of(merchant)
            };
            if self.apply_audited(changes, acts).await? == Applied::Done {
                self.context.endpoints.learn(record);
                return Ok(());
            }
            // Another process has written it.
            self.follow_endpoints().await?;
        }
    }
}
