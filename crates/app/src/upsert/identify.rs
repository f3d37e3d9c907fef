//! Who the request is about. The rows of the table in the semantics, in its order: the first that holds decides.

use std::sync::Arc;

use serde_json::Value as Json;

use upsert_api::{Conflict, ProblemCode};
use upsert_core::{Canonical, CustomerId, CustomerPatch, Field, Handling, Identifier, IdentifierKind, Word as _};
use upsert_store::{ErasureRecord, Expect, IdentityQuery, IdentityView, Known, StoreError};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::upsert::Upserts;

/// How often it is looked before what is found is not believed.
const LOOKS: usize = 3;

/// Who it is, and what was looked at to find that out: the commit holds it against the store once more.
pub(crate) struct Identified {
    /// The customer; none for a new one.
    pub(crate) known: Option<Arc<Known>>,
    /// What has to be so still when it is committed.
    pub(crate) seen: Vec<Expect>,
    /// Customers who hold something that the request gives too, and another value of something stronger (its pointer):
    /// somebody else.
    pub(crate) contradicted: Vec<(CustomerId, &'static str)>,
    /// Erasures of whoever comes back with this on purpose: their tombstones are lifted.
    pub(crate) revived: Vec<ErasureRecord>,
}

impl Upserts {
    /// Step 5.
    pub(crate) async fn identify(&self, merchant: &Merchant, patch: &CustomerPatch) -> Result<Identified, Refusal> {
        let query = query_for(merchant, patch);
        let view = self.look_up(&merchant.id, &query).await?;
        let found = Found::of(merchant, &query, &view);
        let known = decide(patch, &found)?;
        Ok(Identified {
            seen: seen(&query, &view, known.as_ref()),
            contradicted: found.contradicted,
            revived: Vec::new(),
            known,
        })
    }
}

impl Upserts {
    /// Whoever the store finds, if the records bear it out: rows that only lead to records are sealed by nothing, and one that was
    /// changed by hand would have the wrong person changed. Asked again, since a record may change while it is looked up.
    async fn look_up(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, Refusal> {
        for _ in 0..LOOKS {
            let view = self.context.store.identify(merchant, query).await?;
            match led_astray(query, &view) {
                None => return Ok(view),
                Some(customer) => tracing::warn!(merchant, %customer, "found by what the record does not hold"),
            }
        }
        tracing::error!(merchant, "an index of the store does not fit its records: refused");
        Err(StoreError::Failed("an index does not fit its records".to_owned()).into())
    }
}

/// Somebody who was found by what the record does not hold.
fn led_astray(query: &IdentityQuery, view: &IdentityView) -> Option<CustomerId> {
    let found = query.identifiers.iter().zip(&view.holders);
    let mut found = found.flat_map(|(identifier, holders)| holders.iter().map(move |known| (identifier, known)));
    let holds = |identifier: &Identifier, known: &Known| {
        known.record.customer.text(identifier.kind.field()) == Some(identifier.value.as_str())
    };
    found
        .find(|(identifier, known)| !holds(identifier, known))
        .map(|(_, known)| known.record.id)
}

/// What an upsert body names its customer by, in canonical form: two bodies that share one of these may be about one
/// customer. Nothing for a body that is not valid.
pub fn identifiers_in(merchant: &Merchant, body: &Json, handling: Handling) -> Vec<String> {
    let Ok(Canonical { patch, .. }) = merchant.canonicalise(body, handling) else {
        return Vec::new();
    };
    let named = IdentifierKind::all().filter_map(|kind| patch.identifier(kind));
    let named = named
        .filter(|identifier| merchant.is_identified_by(identifier))
        .map(|identifier| format!("{} {}", identifier.kind.field().pointer(), identifier.value));
    let links = patch.links.iter();
    let links = links.map(|(name, record)| format!("/links/{name} {record}"));
    named.chain(links).chain(patch.id.map(|id| id.to_string())).collect()
}

fn query_for(merchant: &Merchant, patch: &CustomerPatch) -> IdentityQuery {
    IdentityQuery {
        id: patch.id,
        identifiers: identifiers_of(merchant, patch),
    }
}

/// What somebody is looked for by, strongest first. The reference always counts; e-mail and phone where the merchant matches
/// on them.
pub(crate) fn identifiers_of(merchant: &Merchant, patch: &CustomerPatch) -> Vec<Identifier> {
    let others = merchant
        .match_on
        .iter()
        .filter(|kind| **kind != IdentifierKind::Reference);
    // One that cannot be read is another value, not an absent one: nobody is found by a weaker one instead.
    let others = others.take_while(|kind| !patch.unreadable.contains(kind));
    let kinds = std::iter::once(&IdentifierKind::Reference).chain(others);
    let given = kinds.filter_map(|kind| patch.identifier(*kind));
    given
        .filter(|identifier| merchant.is_identified_by(identifier))
        .collect()
}

/// The identifier, stronger than the one the customer was found by, of which it holds another value, or was given one that
/// nobody can read: whoever sent the request speaks of somebody else. A value that identifies nobody contradicts nothing.
fn contradiction(merchant: &Merchant, known: &Known, stronger: &[&Identifier]) -> Option<&'static str> {
    let held = known.record.customer.identifiers();
    let contradicts = |given: &&&Identifier| match held.iter().find(|held| held.kind == given.kind) {
        Some(held) => held != **given && merchant.is_identified_by(held),
        None => known.record.customer.unread().contains(&given.kind),
    };
    let given = stronger.iter().find(contradicts)?;
    Some(given.kind.field().pointer())
}

struct Found<'a> {
    by_id: Option<&'a Arc<Known>>,
    by_reference: Option<&'a Arc<Known>>,
    /// By e-mail and phone: each identifier with whom it finds and nothing stronger contradicts.
    matched: Vec<(&'a Identifier, Vec<&'a Arc<Known>>)>,
    /// Whom an identifier finds that a stronger one contradicts.
    contradicted: Vec<(CustomerId, &'static str)>,
}

impl<'a> Found<'a> {
    fn of(merchant: &Merchant, query: &'a IdentityQuery, view: &'a IdentityView) -> Self {
        let mut found = Found {
            by_id: view.by_id.as_ref(),
            by_reference: None,
            matched: Vec::new(),
            contradicted: Vec::new(),
        };
        // The query has them strongest first.
        let mut stronger = Vec::new();
        for (identifier, holders) in query.identifiers.iter().zip(&view.holders) {
            if identifier.kind == IdentifierKind::Reference {
                found.by_reference = holders.first();
                continue;
            }
            let mut matched = Vec::new();
            for known in holders {
                match contradiction(merchant, known, &stronger) {
                    Some(pointer) => found.contradicted.push((known.record.id, pointer)),
                    None => matched.push(known),
                }
            }
            found.matched.push((identifier, matched));
            stronger.push(identifier);
        }
        found
    }

    /// Everybody found by e-mail or phone, once each, with the pointer that found them.
    fn distinct(&self, wanted: impl Fn(&Known) -> bool) -> Vec<(&'a Arc<Known>, &'static str)> {
        let mut distinct: Vec<(&Arc<Known>, &str)> = Vec::new();
        for (identifier, holders) in &self.matched {
            for known in holders.iter().copied().filter(|known| wanted(known)) {
                if !distinct.iter().any(|(other, _)| other.record.id == known.record.id) {
                    distinct.push((known, identifier.kind.field().pointer()));
                }
            }
        }
        distinct
    }
}

fn decide(patch: &CustomerPatch, found: &Found<'_>) -> Result<Option<Arc<Known>>, Refusal> {
    if patch.id.is_some() {
        let Some(by_id) = found.by_id else {
            return Err(Refusal::not_found("customer"));
        };
        return match found.by_reference {
            Some(other) if other.record.id != by_id.record.id => {
                Err(conflict(&[(by_id, "/id"), (other, "/reference")]))
            }
            _ => Ok(Some(Arc::clone(by_id))),
        };
    }
    if let Some(known) = found.by_reference {
        return Ok(Some(Arc::clone(known)));
    }
    let is_named = patch.text(Field::Reference).is_some();
    let may_be = |known: &Known| !is_named || known.record.customer.reference().is_none();
    match found.distinct(may_be).as_slice() {
        [] => Ok(None),
        [(known, _)] => Ok(Some(Arc::clone(known))),
        several => Err(conflict(several)),
    }
}

fn conflict(in_question: &[(&Arc<Known>, &str)]) -> Refusal {
    let conflict = |(known, pointer): &(&Arc<Known>, &str)| Conflict {
        customer_id: known.record.id,
        pointer: (*pointer).to_owned(),
        connection: None,
    };
    let detail = "the identifiers of the request belong to more than one customer";
    let conflicts = in_question.iter().map(conflict).collect();
    Refusal::conflict(ProblemCode::IdentityConflict, detail, conflicts)
}

fn seen(query: &IdentityQuery, view: &IdentityView, known: Option<&Arc<Known>>) -> Vec<Expect> {
    let mut seen = Vec::new();
    for (identifier, holders) in query.identifiers.iter().zip(&view.holders) {
        seen.push(Expect::Holders {
            identifier: identifier.clone(),
            customers: holders.iter().map(|known| known.record.id).collect(),
        });
        // Whether somebody has a reference decides, so nobody who was looked at may have changed.
        let is_other = |other: &&Arc<Known>| known.is_none_or(|known| known.record.id != other.record.id);
        seen.extend(holders.iter().filter(is_other).map(|other| other.record.expected()));
    }
    seen.extend(known.map(|known| known.record.expected()));
    seen
}
