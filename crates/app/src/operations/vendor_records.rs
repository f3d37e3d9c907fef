//! What a vendor holds, read there now and turned into our words.

use upsert_api::{Beside, ProblemCode, VendorCustomer, VendorCustomerPage, VendorRefusal};
use upsert_core::{ErrorKind, ListQuery, Priority, ProviderError, ReadCustomer, WaitingFor};

use crate::delivery::deliver::opens_in;
use crate::delivery::reads::read_context;
use crate::delivery::record::delivery_error;
use crate::directory::merchant::{Connection, Merchant, named};
use crate::operations::Operations;
use crate::problem::Refusal;
use crate::upsert::command::StillMay;

impl Operations {
    /// A page of what the vendor holds, and what the page says beside its records, in the vendor's own members.
    ///
    /// # Errors
    /// 404, 501, 400, 502, 503; what `still_may` says, asked before the read and after it.
    pub async fn vendor_customers(
        &self,
        merchant: &Merchant,
        connection: &str,
        query: ListQuery,
        still_may: StillMay<'_>,
    ) -> Result<VendorCustomerPage, Refusal> {
        let connection = named(merchant, connection)?;
        let reader = connection.reader.as_ref().ok_or_else(|| cannot_read(connection))?;
        reader.check(&query).map_err(Refusal::invalid_query)?;
        self.before_read(merchant, connection, still_may).await?;
        let page = reader.list(&read_context(connection), &query).await;
        let page = self.after_read(merchant, connection, page).await?;
        // It may have waited for its turn and for the vendor.
        still_may()?;
        let mut data = Vec::with_capacity(page.data.len());
        for record in &page.data {
            data.push(self.shown(merchant, connection, record).await?);
        }
        Ok(VendorCustomerPage {
            data,
            next_cursor: page.next,
            vendor_fields: page.vendor_fields,
        })
    }

    /// One record that the vendor holds.
    ///
    /// # Errors
    /// 404, 501, 502, 503; what `still_may` says, asked before the read and after it.
    pub async fn vendor_customer(
        &self,
        merchant: &Merchant,
        connection: &str,
        id: &str,
        still_may: StillMay<'_>,
    ) -> Result<VendorCustomer, Refusal> {
        let connection = named(merchant, connection)?;
        let reader = connection.reader.as_ref().ok_or_else(|| cannot_read(connection))?;
        self.before_read(merchant, connection, still_may).await?;
        let record = reader.read(&read_context(connection), id).await;
        let record = self.after_read(merchant, connection, record).await?;
        // It may have waited for its turn and for the vendor.
        still_may()?;
        match record {
            Some(record) => self.shown(merchant, connection, &record).await,
            None => Err(Refusal::not_found("customer at this vendor")),
        }
    }

    /// Reads count against the day's quota as upserts do, and a paused connection is not read. Nothing is read for somebody who
    /// may not ask for it any more once it is counted.
    async fn before_read(
        &self,
        merchant: &Merchant,
        connection: &Connection,
        still_may: StillMay<'_>,
    ) -> Result<(), Refusal> {
        if self.context.connections.is_paused(&merchant.id, &connection.name) {
            let detail = "the connection is paused";
            return Err(Refusal::new(ProblemCode::ProviderFailed, detail));
        }
        let deliveries = &self.deliveries;
        if !deliveries
            .count_read(&merchant.id, connection, Priority::Interactive)
            .await?
        {
            let spent = ProviderError::held(WaitingFor::Quota, None, "the day's calls are used up");
            return Err(refusal(connection, &spent));
        }
        if let Err(refused) = still_may() {
            deliveries.give_back_read(&merchant.id, connection).await?;
            return Err(refused);
        }
        Ok(())
    }

    async fn after_read<T>(
        &self,
        merchant: &Merchant,
        connection: &Connection,
        result: Result<T, ProviderError>,
    ) -> Result<T, Refusal> {
        let error = match result {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        self.deliveries
            .after_failed_read(&merchant.id, connection, &error)
            .await?;
        Err(refusal(connection, &error))
    }

    async fn shown(
        &self,
        merchant: &Merchant,
        connection: &Connection,
        record: &ReadCustomer,
    ) -> Result<VendorCustomer, Refusal> {
        let (store, merchant, connection) = (&self.context.store, &merchant.id, &connection.name);
        let owners = match &record.provider_customer_id {
            Some(id) => store.record_owners(merchant, connection, id).await?,
            None => Vec::new(),
        };
        Ok(VendorCustomer {
            provider_customer_id: record.provider_customer_id.clone(),
            customer: record.customer.clone(),
            unreadable: record.unreadable.clone(),
            vendor_fields: record.vendor_fields.clone(),
            linked_customer_id: owners.first().copied(),
        })
    }
}

fn cannot_read(connection: &Connection) -> Refusal {
    let detail = format!(
        "`{}` cannot read what its vendor holds, as it is configured",
        connection.provider
    );
    Refusal::new(ProblemCode::UnsupportedByProvider, detail)
}

/// Throttled or out of quota: 503 with a time; down or refusing: 502. Either says what a delivery's error would say.
fn refusal(connection: &Connection, error: &ProviderError) -> Refusal {
    let mut refusal = match error.kind {
        ErrorKind::RateLimited | ErrorKind::QuotaSpent => {
            let wait = error
                .held
                .and_then(|held| opens_in(connection, Priority::Interactive, held))
                .map_or(1, |wait| wait.as_secs().max(1));
            let detail = format!(
                "the vendor's limit for this connection is used up for now: {}",
                error.detail
            );
            Refusal::new(ProblemCode::Overloaded, detail).retry_after(wait)
        }
        _ => Refusal::new(ProblemCode::ProviderFailed, error.detail.clone()),
    };
    refusal.beside = Some(Beside::Vendor(Box::new(VendorRefusal {
        error: delivery_error(error),
    })));
    refusal
}
