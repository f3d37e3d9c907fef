//! What a vendor holds, read there now and turned into our words.

use serde_json::{Value as Json, json};
use tokio::time::Instant;

use upsert_core::{CallContext, ErrorKind, ListQuery, Priority, ProviderError, ReadCustomer};
use upsert_store::{Changeset, Write};

use crate::commit::day_of;
use crate::gateway::Gateway;
use crate::lookup::{Listing, invalid_query};
use crate::merchant::{Connection, Merchant};
use crate::problem::{ProblemCode, Refusal};

impl Gateway {
    /// A page of what the vendor holds.
    ///
    /// # Errors
    /// 404, 501, 400, 502, 503.
    pub async fn vendor_customers(
        &self,
        merchant: &Merchant,
        connection: &str,
        query: ListQuery,
    ) -> Result<Listing, Refusal> {
        let connection = named(merchant, connection)?;
        let reader = connection.reader.as_ref().ok_or_else(|| cannot_read(connection))?;
        reader.check(&query).map_err(invalid_query)?;
        self.before_read(merchant, connection).await?;
        let page = reader
            .list(&context(connection), &query)
            .await
            .map_err(|error| refusal(&error))?;
        let mut data = Vec::with_capacity(page.data.len());
        for record in &page.data {
            data.push(self.shown(merchant, connection, record).await?);
        }
        Ok(Listing {
            data,
            next_cursor: page.next,
        })
    }

    /// One record that the vendor holds.
    ///
    /// # Errors
    /// 404, 501, 502, 503.
    pub async fn vendor_customer(&self, merchant: &Merchant, connection: &str, id: &str) -> Result<Json, Refusal> {
        let connection = named(merchant, connection)?;
        let reader = connection.reader.as_ref().ok_or_else(|| cannot_read(connection))?;
        self.before_read(merchant, connection).await?;
        let record = reader
            .read(&context(connection), id)
            .await
            .map_err(|error| refusal(&error))?;
        match record {
            Some(record) => self.shown(merchant, connection, &record).await,
            None => Err(Refusal::not_found("customer at this vendor")),
        }
    }

    /// Reads count against the day's quota as upserts do, and a paused connection is not read.
    async fn before_read(&self, merchant: &Merchant, connection: &Connection) -> Result<(), Refusal> {
        if self.connections.pause_of(&merchant.id, &connection.name).is_some() {
            let detail = "the connection is paused";
            return Err(Refusal::new(ProblemCode::ProviderFailed, detail));
        }
        if connection.counts_calls {
            let write = vec![Write::CountCall {
                merchant: merchant.id.clone(),
                connection: connection.name.clone(),
                day: day_of(self.clock.now()),
            }];
            self.apply(Changeset {
                expect: Vec::new(),
                write,
            })
            .await?;
        }
        Ok(())
    }

    async fn shown(
        &self,
        merchant: &Merchant,
        connection: &Connection,
        record: &ReadCustomer,
    ) -> Result<Json, Refusal> {
        let owners = self
            .store
            .record_owners(&merchant.id, &connection.name, &record.provider_customer_id)
            .await?;
        Ok(json!({
            "provider_customer_id": record.provider_customer_id,
            "customer": record.customer.to_json(false),
            "unreadable": record.unreadable,
            "linked_customer_id": owners.first(),
        }))
    }
}

pub(crate) fn named<'a>(merchant: &'a Merchant, connection: &str) -> Result<&'a Connection, Refusal> {
    merchant
        .connection(connection)
        .map(AsRef::as_ref)
        .ok_or_else(|| Refusal::not_found("connection"))
}

fn cannot_read(connection: &Connection) -> Refusal {
    let detail = format!(
        "`{}` cannot read what its vendor holds, as it is configured",
        connection.provider
    );
    Refusal::new(ProblemCode::UnsupportedByProvider, detail)
}

fn context(connection: &Connection) -> CallContext {
    CallContext {
        deadline: Instant::now() + connection.timeout,
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        priority: Priority::Interactive,
    }
}

/// Throttled or out of quota: 503 with a time; down or refusing: 502.
fn refusal(error: &ProviderError) -> Refusal {
    let wait = error
        .held
        .and_then(|held| held.for_at_least)
        .map_or(1, |wait| wait.as_secs().max(1));
    match error.kind {
        ErrorKind::RateLimited | ErrorKind::QuotaSpent => Refusal::new(
            ProblemCode::Overloaded,
            "the vendor's limit for this connection is used up for now",
        )
        .retry_after(wait),
        _ => {
            let mut refusal = Refusal::new(ProblemCode::ProviderFailed, error.detail.clone());
            refusal.beside.insert(
                "error".to_owned(),
                json!({ "kind": error.kind, "code": error.code, "vendor_status": error.vendor_status,
                    "vendor_request_id": error.vendor_request_id }),
            );
            refusal
        }
    }
}
