//! Which deliveries are meant: the filters of the API by its names.

use clap::Args;
use jiff::Timestamp;
use upsert_api::{DeliveryFilter, DeliveryState};
use upsert_core::{CustomerId, ErrorKind, UpsertId, WaitingFor};

use crate::arguments::word;
use crate::moment;

#[derive(Args)]
pub(super) struct Filters {
    /// failed (dead letters), pending, in_flight, retrying, waiting, succeeded, superseded, discarded; several with commas
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = word::<DeliveryState>)]
    state: Vec<DeliveryState>,
    /// The connection's name
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// rejected, unauthorised, rate_limited, quota_spent, transient or broken_contract
    #[arg(long, value_name = "KIND", value_parser = word::<ErrorKind>)]
    error_kind: Option<ErrorKind>,
    /// The vendor's code, or one of the gateway's
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
    /// paused, quota, rate_limit, breaker or predecessor
    #[arg(long, value_name = "WHAT", value_parser = word::<WaitingFor>)]
    waiting_for: Option<WaitingFor>,
    /// The customer, cus_…
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
    /// The upsert, ups_…
    #[arg(long, value_name = "ID")]
    upsert: Option<UpsertId>,
    /// Made at or after this moment: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    since: Option<Timestamp>,
    /// Made before this moment: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    until: Option<Timestamp>,
}

impl Filters {
    pub(super) fn given(&self) -> DeliveryFilter {
        DeliveryFilter {
            merchants: None,
            state: self.state.iter().copied().collect(),
            connection: self.connection.clone(),
            error_kind: self.error_kind,
            error_code: self.error_code.clone(),
            waiting_for: self.waiting_for,
            customer_id: self.customer,
            upsert_id: self.upsert,
            since: self.since,
            until: self.until,
        }
    }
}
