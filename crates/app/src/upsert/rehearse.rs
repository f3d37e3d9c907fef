//! What an upsert would do where nobody is known yet: of a merchant's configuration alone, without a store.

use serde_json::Value as Json;

use upsert_api::Plan;
use upsert_core::{Canonical, Customer, Handling, IdSource};

use crate::directory::merchant::Merchant;
use crate::planning::plan::Planned;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::adopt::adopt_of_nobody;
use crate::upsert::straight_line::read_patch;

/// As `POST /v1/customers/plan` answers where no customer is known.
///
/// # Errors
/// As for the upsert itself, but for what single connections refuse: that stands in the plan.
pub fn rehearse(merchant: &Merchant, body: &Json, handling: Handling, ids: &IdSource) -> Result<Plan, Refusal> {
    let Canonical { patch, ignored } = read_patch(merchant, body, handling)?;
    if patch.id.is_some() {
        return Err(Refusal::not_found("customer"));
    }
    let customer = Customer::default().merged(&patch);
    let id = ids.customer(&merchant.id);
    let adopting = adopt_of_nobody(merchant, id, &patch, ids.upsert(&merchant.id));
    let plans = Upserts::route_and_plan(merchant, id, &customer, None, &adopting, false)?;
    Ok(Plan {
        customer_id: None,
        customer: (&customer).into(),
        connections: plans.iter().map(Planned::shown).collect(),
        ignored,
    })
}
