//! Who the request is about. The rows of the table in the semantics, in its order: the first that holds decides.

use serde_json::Value as Json;

use upsert_core::{Canonical, CustomerPatch, Field, Identifier, IdentifierKind, Terms, canonicalise};
use upsert_store::{Expect, IdentityQuery, IdentityView, Known};

use crate::gateway::Gateway;
use crate::merchant::Merchant;
use crate::problem::{Conflict, ProblemCode, Refusal};

/// Who it is, and what was looked at to find that out: the commit holds it against the store once more.
pub(crate) struct Identified {
    /// The customer; none for a new one.
    pub(crate) known: Option<Known>,
    /// What has to be so still when it is committed.
    pub(crate) seen: Vec<Expect>,
}

impl Gateway {
    /// Step 5.
    pub(crate) async fn identify(&self, merchant: &Merchant, patch: &CustomerPatch) -> Result<Identified, Refusal> {
        let query = query_for(merchant, patch);
        let view = self.store.identify(&merchant.id, &query).await?;
        let found = Found::of(&query, &view);
        let known = decide(patch, &found)?;
        Ok(Identified {
            seen: seen(merchant, &query, &view, known.as_ref()),
            known,
        })
    }
}

/// What an upsert body names its customer by, in canonical form: two bodies that share one of these may be about one
/// customer. Nothing for a body that is not valid.
pub fn identifiers_in(merchant: &Merchant, body: &Json) -> Vec<String> {
    let Ok(Canonical { patch, .. }) = canonicalise(body, &Terms::strict(merchant.default_region.as_deref())) else {
        return Vec::new();
    };
    let kinds = [IdentifierKind::Reference, IdentifierKind::Email, IdentifierKind::Phone];
    let named = kinds.into_iter().filter_map(|kind| patch.identifier(kind));
    let named = named.map(|identifier| format!("{} {}", identifier.kind.field().pointer(), identifier.value));
    named.chain(patch.id.map(|id| id.to_string())).collect()
}

/// The reference always counts; e-mail and phone where the merchant matches on them.
fn query_for(merchant: &Merchant, patch: &CustomerPatch) -> IdentityQuery {
    let kinds = std::iter::once(IdentifierKind::Reference).chain(
        merchant
            .match_on
            .iter()
            .copied()
            .filter(|kind| *kind != IdentifierKind::Reference),
    );
    IdentityQuery {
        id: patch.id,
        identifiers: kinds.filter_map(|kind| patch.identifier(kind)).collect(),
    }
}

struct Found<'a> {
    by_id: Option<&'a Known>,
    by_reference: Option<&'a Known>,
    /// By e-mail and phone: each identifier with whom it finds.
    matched: Vec<(&'a Identifier, &'a [Known])>,
}

impl<'a> Found<'a> {
    fn of(query: &'a IdentityQuery, view: &'a IdentityView) -> Self {
        let mut found = Found {
            by_id: view.by_id.as_ref(),
            by_reference: None,
            matched: Vec::new(),
        };
        for (identifier, holders) in query.identifiers.iter().zip(&view.holders) {
            match identifier.kind {
                IdentifierKind::Reference => found.by_reference = holders.first(),
                _ => found.matched.push((identifier, holders)),
            }
        }
        found
    }

    /// Everybody found by e-mail or phone, once each, with the pointer that found them.
    fn distinct(&self, wanted: impl Fn(&Known) -> bool) -> Vec<(&'a Known, &'static str)> {
        let mut distinct: Vec<(&Known, &str)> = Vec::new();
        for (identifier, holders) in &self.matched {
            for known in holders.iter().filter(|known| wanted(known)) {
                if !distinct.iter().any(|(other, _)| other.record.id == known.record.id) {
                    distinct.push((known, identifier.kind.field().pointer()));
                }
            }
        }
        distinct
    }
}

fn decide(patch: &CustomerPatch, found: &Found<'_>) -> Result<Option<Known>, Refusal> {
    if patch.id.is_some() {
        let Some(by_id) = found.by_id else {
            return Err(Refusal::not_found("customer"));
        };
        return match found.by_reference {
            Some(other) if other.record.id != by_id.record.id => {
                Err(conflict(&[(by_id, "/id"), (other, "/reference")]))
            }
            _ => Ok(Some(by_id.clone())),
        };
    }
    if patch.text(Field::Reference).is_some() {
        if let Some(known) = found.by_reference {
            return Ok(Some(known.clone()));
        }
        let unnamed = found.distinct(|known| known.record.customer.reference().is_none());
        return match unnamed.as_slice() {
            [] => Ok(None),
            [(known, _)] => Ok(Some((*known).clone())),
            several => Err(conflict(several)),
        };
    }
    match found.distinct(|_| true).as_slice() {
        [] => Ok(None),
        [(known, _)] => Ok(Some((*known).clone())),
        several => Err(conflict(several)),
    }
}

fn conflict(in_question: &[(&Known, &str)]) -> Refusal {
    let mut refusal = Refusal::new(
        ProblemCode::IdentityConflict,
        "the identifiers of the request belong to more than one customer",
    );
    refusal.conflicts = in_question
        .iter()
        .map(|(known, pointer)| Conflict {
            customer_id: known.record.id,
            pointer: (*pointer).to_owned(),
            connection: None,
        })
        .collect();
    refusal
}

fn seen(merchant: &Merchant, query: &IdentityQuery, view: &IdentityView, known: Option<&Known>) -> Vec<Expect> {
    let mut seen = Vec::new();
    for (identifier, holders) in query.identifiers.iter().zip(&view.holders) {
        seen.push(Expect::Holders {
            merchant: merchant.id.clone(),
            identifier: identifier.clone(),
            customers: holders.iter().map(|known| known.record.id).collect(),
        });
        // Whether somebody has a reference decides, so nobody who was looked at may have changed.
        for other in holders
            .iter()
            .filter(|other| known.is_none_or(|known| known.record.id != other.record.id))
        {
            seen.push(Expect::Customer {
                id: other.record.id,
                revision: Some(other.record.revision),
            });
        }
    }
    if let Some(known) = known {
        seen.push(Expect::Customer {
            id: known.record.id,
            revision: Some(known.record.revision),
        });
    }
    seen
}
