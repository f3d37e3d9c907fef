//! Vendors' records that a caller knows to be a customer's: links that no call of ours made. The next call goes by the
//! adopted id where the vendor takes one, and the id that it answers with is held against it.

use std::collections::BTreeMap;

use upsert_api::{Conflict, ProblemCode};
use upsert_core::{CustomerId, CustomerPatch, UpsertId};
use upsert_store::{Expect, Known, Lane};

use crate::directory::merchant::Merchant;
use crate::planning::plan::unknown_key;
use crate::problem::Refusal;
use crate::upsert::Upserts;

/// What an upsert adopts.
#[derive(Default)]
pub(crate) struct Adopting {
    /// By connection: the lane with the link that it is to have. One of revision 0 is not in the store yet.
    pub(crate) lanes: BTreeMap<String, Lane>,
    /// What has to be so still when it is committed.
    pub(crate) expect: Vec<Expect>,
}

impl Adopting {
    /// By connection: the vendor's ids.
    pub(crate) fn links(&self) -> BTreeMap<String, String> {
        let link = |(name, lane): (&String, &Lane)| Some((name.clone(), lane.linked_to()?.to_owned()));
        self.lanes.iter().filter_map(link).collect()
    }
}

/// What `patch.links` brings of a customer whom nobody knows, where no record is anybody's.
pub(crate) fn adopt_of_nobody(
    merchant: &Merchant,
    id: CustomerId,
    patch: &CustomerPatch,
    upsert: UpsertId,
) -> Adopting {
    let lane = |(name, record): (&String, &String)| {
        let lane = claimed(Lane::new(&merchant.id, id, name), record, upsert);
        (name.clone(), lane)
    };
    Adopting {
        lanes: patch.links.iter().map(lane).collect(),
        expect: Vec::new(),
    }
}

fn claimed(mut lane: Lane, record: &str, upsert: UpsertId) -> Lane {
    lane.adopt(record, unknown_key(record), upsert);
    lane
}

impl Upserts {
    /// What `patch.links` brings that is not there yet, claimed by `upsert`.
    ///
    /// # Errors
    /// 409 where the customer has another record there, or another customer has this one.
    pub(crate) async fn adopt(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        known: Option<&Known>,
        patch: &CustomerPatch,
        upsert: UpsertId,
    ) -> Result<Adopting, Refusal> {
        let mut adopting = Adopting::default();
        let mut conflicts = Vec::new();
        for (name, record) in &patch.links {
            let lane = known.and_then(|known| known.lane(name));
            let linked_to = lane.and_then(Lane::linked_to);
            if linked_to == Some(record) {
                continue;
            }
            let owners = self.context.store.record_owners(&merchant.id, name, record).await?;
            let others = owners.into_iter().filter(|owner| *owner != id);
            let in_question = others.chain(linked_to.map(|_| id)).map(|customer_id| Conflict {
                customer_id,
                pointer: format!("/links/{}", upsert_core::customer::escape(name)),
                connection: Some(name.clone()),
            });
            let before = conflicts.len();
            conflicts.extend(in_question);
            if conflicts.len() > before {
                continue;
            }
            adopting.expect.push(Expect::RecordFree {
                connection: name.clone(),
                provider_customer_id: record.clone(),
                customer: id,
            });
            let lane = lane.cloned().unwrap_or_else(|| Lane::new(&merchant.id, id, name));
            adopting.lanes.insert(name.clone(), claimed(lane, record, upsert));
        }
        if conflicts.is_empty() {
            return Ok(adopting);
        }
        let detail = "the customer has another record at that vendor, or another customer has that one";
        Err(Refusal::conflict(ProblemCode::LinkConflict, detail, conflicts))
    }
}
