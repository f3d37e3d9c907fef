//! What makes customers be found by their identifiers.

use upsert_core::{Customer, CustomerId, Identifier};
use upsert_store::Write;

/// What makes the identifiers of `after` find the customer, and those of `before` no longer.
pub(crate) fn identifier_writes(customer: CustomerId, before: &Customer, after: &Customer) -> Vec<Write> {
    let (old, new) = (before.identifiers(), after.identifiers());
    let gone = old.iter().filter(|identifier| !new.contains(identifier));
    let come = new.iter().filter(|identifier| !old.contains(identifier));
    let remove = |identifier: &Identifier| Write::RemoveIdentifier {
        identifier: identifier.clone(),
        customer,
    };
    let add = |identifier: &Identifier| Write::AddIdentifier {
        identifier: identifier.clone(),
        customer,
    };
    gone.map(remove).chain(come.map(add)).collect()
}
