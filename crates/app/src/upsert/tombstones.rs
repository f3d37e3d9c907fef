//! Whoever was erased is not brought back unasked. Tombstones are looked at where nobody living is found, and judged as the
//! living are: whoever gives another value of something stronger is somebody else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use upsert_api::ProblemCode;
use upsert_core::{CustomerPatch, ErasureId, Identifier};
use upsert_store::{Changeset, ErasureRecord, StoreError, TombstoneKey, Write};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::identify::{Identified, identifiers_of};

impl Upserts {
    /// Step 5 for events and batch lines: nobody has asked for whoever was erased to come back.
    ///
    /// # Errors
    /// As for [`Upserts::identify`]; 409 `erased` where it is about somebody who was.
    pub(crate) async fn identify_the_living(
        &self,
        merchant: &Merchant,
        patch: &CustomerPatch,
    ) -> Result<Identified, Refusal> {
        let identified = match (self.identify(merchant, patch).await, patch.id) {
            (Err(refusal), Some(id)) if refusal.code == ProblemCode::NotFound => {
                let erasure = self.context.store.erasure(&merchant.id, ErasureId::of(id)).await?;
                return Err(if erasure.is_some() { erased() } else { refusal });
            }
            (identified, _) => identified?,
        };
        if identified.known.is_none() && !self.erased(merchant, patch).await?.is_empty() {
            return Err(erased());
        }
        Ok(identified)
    }

    /// Step 5 for a request of its own: it brings whoever was erased back on purpose, as a new customer.
    ///
    /// # Errors
    /// As for [`Upserts::identify`].
    pub(crate) async fn identify_or_revive(
        &self,
        merchant: &Merchant,
        patch: &CustomerPatch,
    ) -> Result<Identified, Refusal> {
        let mut identified = self.identify(merchant, patch).await?;
        if identified.known.is_none() {
            identified.revived = self.erased(merchant, patch).await?;
        }
        Ok(identified)
    }

    /// Erasures of the person that a request is about, but for those whose tombstone was lifted. To be asked where nobody
    /// living was found: whoever is erased afterwards was found.
    pub(crate) async fn erased(
        &self,
        merchant: &Merchant,
        patch: &CustomerPatch,
    ) -> Result<Vec<ErasureRecord>, StoreError> {
        let identifiers = identifiers_of(merchant, patch);
        let records = patch
            .links
            .iter()
            .map(|(connection, record)| TombstoneKey::VendorRecord {
                connection: connection.clone(),
                provider_customer_id: record.clone(),
            });
        let named = identifiers.iter().cloned().map(TombstoneKey::Identifier);
        let keys: Vec<TombstoneKey> = named.chain(records).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.context.store.tombstones(&merchant.id, &keys).await?;
        let (by_identifier, by_record) = found.split_at(identifiers.len());
        let mut erased = self.standing(&merchant.id, found.iter().flatten().copied()).await?;
        erased.retain(|erasure| {
            by_record.iter().any(|found| found.contains(&erasure.id)) || is_of(erasure, &identifiers, by_identifier)
        });
        Ok(erased)
    }

    /// Those of these erasures whose tombstones stand.
    pub(crate) async fn standing(
        &self,
        merchant: &str,
        ids: impl Iterator<Item = ErasureId>,
    ) -> Result<Vec<ErasureRecord>, StoreError> {
        let mut standing = Vec::new();
        for id in ids.collect::<BTreeSet<ErasureId>>() {
            let erasure = self.context.store.erasure(merchant, id).await?;
            standing.extend(erasure.filter(|erasure| erasure.lifted_at().is_none()));
        }
        Ok(standing)
    }
}

/// Whoever comes back on purpose is kept out no more.
pub(crate) fn lift(revived: &[ErasureRecord], now: Timestamp, changes: &mut Changeset) {
    for erasure in revived {
        let mut erasure = erasure.clone();
        changes.expect.push(erasure.change());
        erasure.lift(now);
        changes.write.push(Write::PutErasure(erasure));
    }
}

/// 409: nobody has asked for the person to come back.
pub(crate) fn erased() -> Refusal {
    let detail = "the person was erased: only a single upsert over the API brings anybody back";
    Refusal::new(ProblemCode::Erased, detail)
}

/// Whether the first identifier (the strongest come first) that the tombstone knows is contradicted by none before it.
fn is_of(erasure: &ErasureRecord, identifiers: &[Identifier], found: &[Vec<ErasureId>]) -> bool {
    let mut contradicted = false;
    for (identifier, erasures) in identifiers.iter().zip(found) {
        if erasures.contains(&erasure.id) {
            return !contradicted;
        }
        contradicted |= erasure.held.contains(&identifier.kind);
    }
    false
}

/// What each of these keys finds, by erasure.
pub(crate) fn by_erasure<'k>(
    keys: &'k [TombstoneKey],
    found: &[Vec<ErasureId>],
) -> BTreeMap<ErasureId, Vec<&'k TombstoneKey>> {
    let mut by_erasure: BTreeMap<ErasureId, Vec<&TombstoneKey>> = BTreeMap::new();
    for (key, erasures) in keys.iter().zip(found) {
        for erasure in erasures {
            by_erasure.entry(*erasure).or_default().push(key);
        }
    }
    by_erasure
}

#[cfg(test)]
mod tests {
    use upsert_core::IdentifierKind::{self, Email, Phone, Reference};
    use upsert_testkit::records::{customer_id, noon};

    use super::*;

    fn given(kind: IdentifierKind) -> Identifier {
        Identifier {
            kind,
            value: "v".to_owned(),
        }
    }

    #[test]
    fn a_tombstone_is_hit_by_the_strongest_that_it_knows_unless_something_stronger_is_another_one() {
        let mut erasure = ErasureRecord::new(customer_id(1), "acme", "ann", noon());
        let all = [Reference, Email, Phone].map(given);
        let mut hit = |held: &[IdentifierKind], known: [bool; 3]| {
            erasure.held = held.iter().copied().collect();
            let found = known.map(|is_known| if is_known { vec![erasure.id] } else { Vec::new() });
            is_of(&erasure, &all, &found)
        };
        assert!(hit(&[Reference, Email, Phone], [true, false, false]));
        assert!(hit(&[Email, Phone], [false, true, false]), "it had no reference");
        assert!(!hit(&[Reference, Email], [false, true, false]), "another reference");
        assert!(!hit(&[Email, Phone], [false, false, true]), "another e-mail");
        assert!(hit(&[Phone], [false, false, true]), "it had no e-mail");
        assert!(hit(&[Email], [false, true, true]), "one that it had before counts too");
        assert!(!hit(&[Email], [false, false, false]));
    }
}
