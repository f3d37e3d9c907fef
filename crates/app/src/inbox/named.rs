//! Whom an event of a vendor's is about, by the vendor's record that it tells of.

use serde_json::{Value as Json, json};

use upsert_store::StoreError;
use upsert_webhook::Mapped;

use crate::directory::merchant::Merchant;
use crate::directory::webhooks::Source;
use crate::inbox::Inbox;

impl Inbox {
    /// The body, with the id of the customer that is linked to the vendor's record that the event tells of; where nobody is,
    /// with the link that is to be.
    pub(crate) async fn named_by_vendor(
        &self,
        merchant: &Merchant,
        source: &Source,
        mapped: &Mapped,
    ) -> Result<Json, StoreError> {
        let mut body = mapped.body.clone();
        if let (Some(record), Some(connection)) = (&mapped.provider_customer_id, &source.connection)
            && let Some(members) = body.as_object_mut().filter(|members| !members.contains_key("id"))
        {
            // Links hold ids in one form; an event may write them in another.
            let known = merchant.connection(connection);
            let record = known.map_or_else(|| record.clone(), |known| known.adapter.canonical_id(record));
            let owners = self
                .context
                .store
                .record_owners(&merchant.id, connection, &record)
                .await?;
            match owners.as_slice() {
                [] => {
                    let links = members.entry("links").or_insert_with(|| json!({}));
                    if let Some(links) = links.as_object_mut() {
                        links.entry(connection.as_str()).or_insert_with(|| json!(record));
                    }
                }
                [owner] => drop(members.insert("id".to_owned(), json!(owner))),
                // One that several customers share is told apart by what else the event says.
                _ => {}
            }
        }
        Ok(body)
    }
}
