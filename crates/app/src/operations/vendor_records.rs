//! What a vendor holds, read there now and turned into our words.

use tokio::time::Instant;

use upsert_api::{Beside, ProblemCode, VendorCustomer, VendorCustomerPage, VendorRefusal};
use upsert_core::{
    CallContext, ErrorKind, Exchange, InLine, ListQuery, Priority, ProviderError, ReadCustomer, WaitingFor,
};
use upsert_store::{Applied, StoreError};

use crate::delivery::deliver::opens_in;
use crate::delivery::record::delivery_error;
use crate::delivery::work::{calls_below, count_call, give_back_call};
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
        let page = reader.list(&context(connection), &query).await;
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
        let record = reader.read(&context(connection), id).await;
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
        if connection.counts_calls {
            let now = self.context.clock.now();
            let (below, call) = (
                calls_below(connection, Priority::Interactive, now),
                count_call(&connection.name, now),
            );
            let expect = below.into_iter().collect();
            if self.outbox.write(&merchant.id, expect, vec![call]).await? != Applied::Done {
                let spent = ProviderError::held(WaitingFor::Quota, None, "the day's calls are used up");
                return Err(refusal(connection, &spent));
            }
        }
        if let Err(refused) = still_may() {
            self.give_back(merchant, connection).await?;
            return Err(refused);
        }
        Ok(())
    }

    /// A read that failed: its call is given back if it was not made, and refused credentials pause the connection. A 403
    /// does not: it may be reading alone that the key may not do.
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
        if !error.sent {
            self.give_back(merchant, connection).await?;
        }
        if error.kind == ErrorKind::Unauthorised && error.vendor_status == Some(401) {
            self.deliveries
                .pause_by_vendor(&merchant.id, connection, error.to_string())
                .await?;
        }
        Err(refusal(connection, &error))
    }

    /// A call that was counted and not made.
    async fn give_back(&self, merchant: &Merchant, connection: &Connection) -> Result<(), StoreError> {
        if connection.counts_calls {
            let call = give_back_call(&connection.name, self.context.clock.now());
            self.outbox.write(&merchant.id, Vec::new(), vec![call]).await?;
        }
        Ok(())
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

fn context(connection: &Connection) -> CallContext {
    CallContext {
        deadline: Instant::now() + connection.timeout,
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        tracestate: None,
        priority: Priority::Interactive,
        is_counted: connection.counts_calls,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    }
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
