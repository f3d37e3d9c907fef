//! The links of a customer as a request takes them: the vendor's id by connection.

use serde_json::{Map, Value as Json};
use upsert_api::Link;

/// Of a customer's links, those that a vendor's record lives under.
pub(crate) fn live(links: &[Link]) -> Map<String, Json> {
    let live = links.iter().filter(|link| link.is_live());
    live.filter_map(|link| Some((link.connection.clone(), link.provider_customer_id.clone()?.into())))
        .collect()
}
