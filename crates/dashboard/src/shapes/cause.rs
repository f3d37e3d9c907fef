//! What a connection's deliveries failed of, grouped.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use upsert_app::MASK;

use crate::query::address;
use crate::shapes::delivery::shortened;

/// What deliveries of one connection failed of: the newest thousand, by kind and code.
#[derive(Clone, Deserialize)]
pub(crate) struct Cause {
    pub(crate) kind: String,
    pub(crate) code: Option<String>,
    pub(crate) count: u64,
    /// The newest one's words.
    sample_detail: String,
    pub(crate) newest_at: Timestamp,
    /// How many are in which state.
    states: BTreeMap<String, u64>,
}

impl Cause {
    pub(crate) fn sample(&self) -> String {
        shortened(&self.sample_detail)
    }

    /// The list of them. (Where the vendor gave no code, others of that kind are in it too.)
    pub(crate) fn path(&self, merchant: &str, connection: &str) -> String {
        let states: Vec<&str> = self.states.keys().map(String::as_str).collect();
        let members = [
            ("state", Some(states.join(","))),
            ("merchant", Some(merchant.to_owned())),
            ("connection", Some(connection.to_owned())),
            ("error_kind", Some(self.kind.clone())),
            ("error_code", self.code.clone().filter(|code| code != MASK)),
        ];
        let members = members.each_ref().map(|(name, value)| (*name, value.as_deref()));
        address("/ops/deliveries", &members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cause_leads_to_the_list_of_what_failed_of_it() {
        let cause = json!({
            "kind": "rejected", "code": "E 1", "count": 3, "sample_detail": "no", "newest_delivery_id": "dlv_x",
            "newest_at": "2026-11-21T12:00:00Z", "states": { "retrying": 1, "failed": 2 },
        });
        let cause: Cause = serde_json::from_value(cause).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            cause.path("acme", "crm"),
            "/ops/deliveries?state=failed%2Cretrying&merchant=acme&connection=crm&error_kind=rejected&error_code=E+1"
        );
        assert_eq!(cause.sample(), "no");
    }
}
