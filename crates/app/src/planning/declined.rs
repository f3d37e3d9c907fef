//! What an operator does not want at a vendor: discarding a delivery marks the values that it would have brought, and a
//! mark holds until the customer's value changes again.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use upsert_core::Customer;
use upsert_store::Lane;

use crate::directory::merchant::Connection;
use crate::planning::plan::difference;

/// Marks of values that are not the customer's any more go. Answers whether there were any.
pub(crate) fn forget_outdated(connection: &Connection, customer: &Customer, lane: &mut Lane) -> bool {
    if lane.declined().is_empty() {
        return false;
    }
    // Where nothing can be sent at all, nobody can tell.
    let Some((_, sent)) = difference(connection, lane.customer, customer, lane) else {
        return false;
    };
    lane.keep_declined(|name, value| sent.get(name).is_some_and(|sent| sent.value == *value))
}

/// What the connection has not accepted of what the delivery was to bring (`brought`), as far as it is what the customer
/// has still.
pub(crate) fn not_accepted(
    connection: &Connection,
    customer: &Customer,
    brought: &Customer,
    lane: &Lane,
) -> BTreeMap<String, Json> {
    let now = difference(connection, lane.customer, customer, lane);
    let then = difference(connection, lane.customer, brought, lane);
    let (Some((changed, mut sent)), Some((_, then))) = (now, then) else {
        return BTreeMap::new();
    };
    let values = changed
        .into_iter()
        .filter_map(|name| Some((sent.remove(&name)?.value, name)));
    let is_brought = |(value, name): &(Json, String)| then.get(name).is_some_and(|then| then.value == *value);
    values.filter(is_brought).map(|(value, name)| (name, value)).collect()
}
