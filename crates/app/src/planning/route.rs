//! Which connections a customer goes to.

use std::sync::Arc;

use upsert_core::Customer;

use crate::directory::merchant::{Connection, Merchant};
use crate::problem::Refusal;

/// The connections of the first route whose conditions hold for the merged customer; all where there are no routes.
pub(crate) fn route(merchant: &Merchant, customer: &Customer) -> Result<Vec<Arc<Connection>>, Refusal> {
    if merchant.routes.is_empty() {
        return Ok(merchant.connections.clone());
    }
    let Some(route) = merchant.routes.iter().find(|route| route.when.holds(customer)) else {
        let detail = "no route of the merchant holds for this customer";
        return Err(Refusal::invalid_at("", "no_route", detail));
    };
    let connections = merchant.connections.iter();
    let picked = connections.filter(|connection| route.to.contains(&connection.name));
    Ok(picked.cloned().collect())
}
