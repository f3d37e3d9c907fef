//! Reads of what a vendor holds: they count against the day's calls as upserts do.

use std::sync::Arc;

use tokio::time::Instant;

use upsert_core::{
    CallContext, CustomerReader, ErrorKind, Exchange, InLine, ListQuery, Priority, ProviderError, ReadPage,
};
use upsert_store::{Applied, StoreError};

use crate::delivery::Deliveries;
use crate::delivery::recover::lost;
use crate::delivery::work::{calls_below, count_call, give_back_call};
use crate::directory::merchant::Connection;

/// Of a read that has its whole time-out from now on.
pub(crate) fn read_context(connection: &Connection) -> CallContext {
    CallContext {
        deadline: Instant::now() + connection.timeout,
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        tracestate: None,
        priority: Priority::Interactive,
        is_counted: connection.counts_calls,
        is_trial: false,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    }
}

impl Deliveries {
    /// Counts a read that is about to be made. Whether the day has room for it.
    pub(crate) async fn count_read(
        &self,
        merchant: &str,
        connection: &Connection,
        priority: Priority,
    ) -> Result<bool, StoreError> {
        if !connection.counts_calls {
            return Ok(true);
        }
        let now = self.context.clock.now();
        let (below, call) = (
            calls_below(connection, priority, now),
            count_call(&connection.name, now),
        );
        let expect = below.into_iter().collect();
        Ok(self.outbox.write(merchant, expect, vec![call]).await? == Applied::Done)
    }

    /// A read that was counted and not made.
    pub(crate) async fn give_back_read(&self, merchant: &str, connection: &Connection) -> Result<(), StoreError> {
        if connection.counts_calls {
            let call = give_back_call(&connection.name, self.context.clock.now());
            self.outbox.write(merchant, Vec::new(), vec![call]).await?;
        }
        Ok(())
    }

    /// A read that failed: its call is given back if it was not made, and refused credentials pause the connection. A 403
    /// does not: it may be reading alone that the key may not do.
    pub(crate) async fn after_failed_read(
        &self,
        merchant: &str,
        connection: &Connection,
        error: &ProviderError,
    ) -> Result<(), StoreError> {
        if !error.sent {
            self.give_back_read(merchant, connection).await?;
        }
        if error.kind == ErrorKind::Unauthorised && error.vendor_status == Some(401) {
            self.pause_by_vendor(merchant, connection, error.to_string()).await?;
        }
        Ok(())
    }

    /// The cheapest thing to ask a vendor: one record. None: the day has no room for it.
    pub(crate) async fn read_cheaply(
        &self,
        merchant: &str,
        connection: &Connection,
        reader: &Arc<dyn CustomerReader>,
        context: &CallContext,
    ) -> Result<Option<Result<ReadPage, ProviderError>>, StoreError> {
        if !self.count_read(merchant, connection, context.priority).await? {
            return Ok(None);
        }
        let one = ListQuery {
            limit: 1,
            ..ListQuery::default()
        };
        let read = self.context.unless_cut_short(reader.list(context, &one)).await;
        let read = read.unwrap_or_else(|| Err(lost()));
        if let Err(error) = &read {
            self.after_failed_read(merchant, connection, error).await?;
        }
        Ok(Some(read))
    }
}
