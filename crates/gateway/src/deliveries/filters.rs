//! Which deliveries are meant: the filters of the API by its names.

use clap::Args;

use crate::moment;

#[derive(Args)]
pub(super) struct Filters {
    /// failed (dead letters), pending, in_flight, retrying, waiting, succeeded, superseded, discarded; several with commas
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// The connection's name
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// rejected, unauthorised, rate_limited, quota_spent, transient or broken_contract
    #[arg(long, value_name = "KIND")]
    error_kind: Option<String>,
    /// The vendor's code, or one of the gateway's
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
    /// paused, quota, rate_limit, breaker or predecessor
    #[arg(long, value_name = "WHAT")]
    waiting_for: Option<String>,
    /// The customer, cus_…
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// The upsert, ups_…
    #[arg(long, value_name = "ID")]
    upsert: Option<String>,
    /// Made at or after this moment: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    since: Option<String>,
    /// Made before this moment: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    until: Option<String>,
}

impl Filters {
    /// Those that were given, by the API's names, which are the same in a query and in a body.
    pub(super) fn given(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("state", &self.state),
            ("connection", &self.connection),
            ("error_kind", &self.error_kind),
            ("error_code", &self.error_code),
            ("waiting_for", &self.waiting_for),
            ("customer_id", &self.customer),
            ("upsert_id", &self.upsert),
            ("since", &self.since),
            ("until", &self.until),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }
}

/// An id goes into a path: nothing else may.
pub(super) fn delivery_id(text: &str) -> Result<String, String> {
    id("dlv_", text)
}

/// A prefix, then letters and digits.
pub(crate) fn id(prefix: &str, text: &str) -> Result<String, String> {
    let made_up = text.strip_prefix(prefix).unwrap_or_default();
    if !made_up.is_empty() && made_up.chars().all(|character| character.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err(format!("is not an id that starts with {prefix}"))
    }
}
