//! Whoever was erased is not brought back unasked. Tombstones are looked at where nobody living is found, and judged as the
//! living are: whoever gives another value of something stronger is somebody else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use upsert_api::ProblemCode;
use upsert_core::{CustomerPatch, ErasureId, Identifier};
use upsert_store::{Changeset, ErasureRecord, IdentityView, StoreError, TombstoneKey, Write};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::upsert::Upserts;
use crate::upsert::identify::{Identified, identifiers_of};

impl Upserts {
    /// Step 5 for events and batch lines: nobody has asked for whoever was erased to come back. `told`: who speaks of the
    /// records that the request is linked to.
    ///
    /// # Errors
    /// As for [`Upserts::identify`]; 409 `erased` where it is about somebody who was.
    pub(crate) async fn identify_the_living(
        &self,
        merchant: &Merchant,
        patch: &CustomerPatch,
        told: Told,
    ) -> Result<Identified, Refusal> {
        let identified = match (self.identify(merchant, patch).await, patch.id) {
            (Err(refusal), Some(id)) if refusal.code == ProblemCode::NotFound => {
                let erasure = self.context.store.erasure(&merchant.id, ErasureId::of(id)).await?;
                return Err(if erasure.is_some() { erased() } else { refusal });
            }
            (identified, _) => identified?,
        };
        if identified.known.is_none() && !self.erased(merchant, patch, told).await?.is_empty() {
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
            identified.revived = self.erased(merchant, patch, Told::ByCaller).await?;
        }
        Ok(identified)
    }

    /// Erasures of the person that a request is about, but for those whose tombstone was lifted. To be asked where nobody
    /// living was found: whoever is erased afterwards was found. `told`: who speaks of the records.
    pub(crate) async fn erased(
        &self,
        merchant: &Merchant,
        patch: &CustomerPatch,
        told: Told,
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
            let has_record = by_record.iter().any(|found| found.contains(&erasure.id));
            is_of(erasure, (&identifiers, by_identifier), has_record.then_some(told))
        });
        Ok(erased)
    }

    /// Those of these erasures whose tombstones stand. Of the latest [`IdentityView::MOST`] of them, as of the living: many may
    /// have shared a phone.
    pub(crate) async fn standing(
        &self,
        merchant: &str,
        ids: impl Iterator<Item = ErasureId>,
    ) -> Result<Vec<ErasureRecord>, StoreError> {
        let ids: BTreeSet<ErasureId> = ids.collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let latest: Vec<ErasureId> = ids.into_iter().rev().take(IdentityView::MOST).collect();
        let mut standing = self.context.store.erasures(merchant, &latest).await?;
        standing.retain(|erasure| erasure.lifted_at().is_none());
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

/// Who says that a record of a vendor's is the person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The vendor, in an event about its own record: whatever else stands there now, it is the same record.
    ByVendor,
    /// Whoever sent the request. One may be wrong, and families share records: what contradicts it counts.
    ByCaller,
}

/// Whether the first identifier (the strongest come first) that the tombstone knows is contradicted by none before it; where it
/// knows none, whether it has the record, and none contradicts a caller who says so.
fn is_of(
    erasure: &ErasureRecord,
    (identifiers, found): (&[Identifier], &[Vec<ErasureId>]),
    record: Option<Told>,
) -> bool {
    if record == Some(Told::ByVendor) {
        return true;
    }
    let mut contradicted = false;
    for (identifier, erasures) in identifiers.iter().zip(found) {
        if erasures.contains(&erasure.id) {
            return !contradicted;
        }
        contradicted |= erasure.held.contains(&identifier.kind);
    }
    record.is_some() && !contradicted
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
        let mut hit_by = |held: &[IdentifierKind], known: [bool; 3], record: Option<Told>| {
            erasure.held = held.iter().copied().collect();
            let found = known.map(|is_known| if is_known { vec![erasure.id] } else { Vec::new() });
            is_of(&erasure, (&all, &found), record)
        };
        let mut hit = |held: &[IdentifierKind], known: [bool; 3]| hit_by(held, known, None);
        assert!(hit(&[Reference, Email, Phone], [true, false, false]));
        assert!(hit(&[Email, Phone], [false, true, false]), "it had no reference");
        assert!(!hit(&[Reference, Email], [false, true, false]), "another reference");
        assert!(!hit(&[Email, Phone], [false, false, true]), "another e-mail");
        assert!(hit(&[Phone], [false, false, true]), "it had no e-mail");
        assert!(hit(&[Email], [false, true, true]), "one that it had before counts too");
        assert!(!hit(&[Email], [false, false, false]));
        let (caller, vendor) = (Some(Told::ByCaller), Some(Told::ByVendor));
        assert!(hit_by(&[], [false; 3], caller), "nothing speaks against the record");
        assert!(hit_by(&[Email], [false, true, false], caller));
        assert!(
            !hit_by(&[Email], [false; 3], caller),
            "another e-mail: a record that two share"
        );
        assert!(!hit_by(&[Reference, Email], [false, true, false], caller));
        assert!(
            hit_by(&[Email], [false; 3], vendor),
            "it was changed at the vendor since"
        );
    }
}
