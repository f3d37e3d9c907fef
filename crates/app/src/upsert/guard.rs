//! Steps 6 and 7: plan for each connection, and refuse what would mix customers up, before anything is stored.

use upsert_api::{Conflict, ProblemCode};
use upsert_core::{Customer, CustomerId, MatchKey, OnCollision, Problem, Warning, WarningCode};
use upsert_store::Known;

use crate::directory::merchant::Merchant;
use crate::planning::lane::contested_keys;
use crate::planning::plan::{ConnectionPlan, PlanRefusal, Planned, plan};
use crate::planning::route::route;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::adopt::Adopting;

impl Upserts {
    /// Step 6: which connections, and what each would be sent.
    pub(crate) fn route_and_plan(
        merchant: &Merchant,
        id: CustomerId,
        customer: &Customer,
        known: Option<&Known>,
        adopting: &Adopting,
        force: bool,
    ) -> Result<Vec<Planned>, Refusal> {
        let connections = route(merchant, customer)?;
        Ok(connections
            .into_iter()
            .map(|connection| {
                let adopted = adopting.lanes.get(&connection.name);
                let lane = adopted.or_else(|| known?.lane(&connection.name)).cloned();
                let plan = plan(&connection, id, customer, lane.as_ref(), force);
                Planned { connection, lane, plan }
            })
            .collect())
    }

    /// Step 7. The keys of new links are looked up only where `look_up` says so: the commit finds out anyway whether
    /// somebody else holds one, and then this is asked once more to say who.
    pub(crate) async fn guard(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        plans: &mut [Planned],
        look_up: bool,
    ) -> Result<(), Refusal> {
        for planned in plans.iter_mut() {
            let proceeds = planned.connection.on_collision == OnCollision::Proceed;
            let keys = contested_keys_of(planned);
            if keys.is_empty() || !(look_up || proceeds) {
                continue;
            }
            let (store, name) = (&self.context.store, &planned.connection.name);
            let held = store.key_holders(&merchant.id, name, &keys, id).await?;
            if proceeds {
                warn_of_sharing(planned, &held);
            } else if !held.is_empty() {
                planned.plan = Err(PlanRefusal::Collision(conflicts(name, &held)));
            }
        }
        refuse_for_required(plans)
    }
}

/// Keys that the vendor would match this request by and that nobody else may hold.
fn contested_keys_of(planned: &Planned) -> Vec<MatchKey> {
    let prepared = planned.prepared();
    prepared.map_or_else(Vec::new, |prepared| contested_keys(prepared, planned.lane.as_ref()))
}

fn conflicts(connection: &str, held: &[(MatchKey, CustomerId)]) -> Vec<Conflict> {
    held.iter()
        .map(|(key, customer)| Conflict {
            customer_id: *customer,
            pointer: key.kind.pointer().to_owned(),
            connection: Some(connection.to_owned()),
        })
        .collect()
}

fn warn_of_sharing(planned: &mut Planned, held: &[(MatchKey, CustomerId)]) {
    if let Ok(ConnectionPlan::Send { prepared, .. }) = &mut planned.plan {
        for (key, _) in held {
            let detail = "another customer has this key at the vendor: both may share one record there";
            prepared
                .warnings
                .push(Warning::new(WarningCode::KeyIsShared, key.kind.pointer(), detail));
        }
    }
}

/// What a required connection refuses refuses the request; the gravest code decides, everything is reported.
fn refuse_for_required(plans: &[Planned]) -> Result<(), Refusal> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut key_changes = Vec::new();
    let mut collisions = Vec::new();
    for planned in plans.iter().filter(|planned| planned.connection.required) {
        match &planned.plan {
            Ok(_) => {}
            Err(PlanRefusal::Invalid(found)) => problems.extend(found.iter().cloned()),
            Err(PlanRefusal::KeyChange(conflict)) => key_changes.push(conflict.clone()),
            Err(PlanRefusal::Collision(found)) => collisions.extend(found.iter().cloned()),
        }
    }
    if !problems.is_empty() {
        return Err(Refusal::invalid(problems));
    }
    if let Some(first) = key_changes.first().cloned() {
        let refusal = PlanRefusal::KeyChange(first);
        let code = ProblemCode::BusinessKeyChange;
        return Err(Refusal::conflict(code, refusal.detail(), key_changes));
    }
    if !collisions.is_empty() {
        let refusal = PlanRefusal::Collision(Vec::new());
        let code = ProblemCode::MatchKeyCollision;
        return Err(Refusal::conflict(code, refusal.detail(), collisions));
    }
    Ok(())
}
