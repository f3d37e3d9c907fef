//! What makes customers be found by their identifiers.

use upsert_core::{Customer, CustomerId};
use upsert_store::Write;

/// What makes the identifiers of `after` find the customer, and those of `before` no longer.
pub(crate) fn identifier_writes(
    merchant: &str,
    customer: CustomerId,
    before: &Customer,
    after: &Customer,
) -> Vec<Write> {
    let (old, new) = (before.identifiers(), after.identifiers());
    let gone = old
        .iter()
        .filter(|identifier| !new.contains(identifier))
        .map(|identifier| Write::RemoveIdentifier {
            merchant: merchant.to_owned(),
            identifier: identifier.clone(),
            customer,
        });
    let come = new
        .iter()
        .filter(|identifier| !old.contains(identifier))
        .map(|identifier| Write::AddIdentifier {
            merchant: merchant.to_owned(),
            identifier: identifier.clone(),
            customer,
        });
    gone.chain(come).collect()
}
