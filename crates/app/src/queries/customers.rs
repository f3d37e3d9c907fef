//! Looking things up: customers, their history, upserts. Another merchant's things do not exist.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use upsert_core::canonicalise::canonical_text;
use upsert_core::customer::{Change, escape};
use upsert_core::{Customer, CustomerId, Field, Identifier, IdentifierKind, Problem, UpsertId};
use upsert_store::CustomerFilter;

use crate::directory::merchant::Merchant;
use crate::planning::route::route;
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::queries::page::{Listing, from_cursor, invalid_query, to_cursor};
use crate::view::answer::{Answer, customer_json};
use crate::view::delivery::link_json;

/// What to list, as the query string has it.
#[derive(Clone, Default)]
pub struct CustomerListQuery {
    /// Canonicalised like a request's.
    pub reference: Option<String>,
    /// Canonicalised like a request's.
    pub email: Option<String>,
    /// Canonicalised like a request's.
    pub phone: Option<String>,
    /// A label.
    pub tag: Option<String>,
    /// `active` or `inactive`.
    pub status: Option<String>,
    /// `person` or `organisation`.
    pub kind: Option<String>,
    /// RFC 3339.
    pub updated_since: Option<String>,
    /// How many.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl Queries {
    /// The record, and in it its links.
    ///
    /// # Errors
    /// 404.
    pub async fn customer_json(&self, merchant: &Merchant, id: CustomerId) -> Result<Json, Refusal> {
        let known = self
            .context
            .store
            .customer(&merchant.id, id)
            .await?
            .ok_or_else(|| Refusal::not_found("customer"))?;
        let routed = route(merchant, &known.record.customer).unwrap_or_default();
        let is_routed = |name: &str| routed.iter().any(|connection| connection.name == name);
        let mut shown = customer_json(&known.record);
        let links: Vec<Json> = known
            .lanes
            .iter()
            .flat_map(|lane| link_json(lane, is_routed(&lane.connection)))
            .collect();
        shown["links"] = Json::Array(links);
        Ok(shown)
    }

    /// Customers, oldest first.
    ///
    /// # Errors
    /// 400 for a filter or a cursor that cannot be read.
    pub async fn list_customers(&self, merchant: &Merchant, query: CustomerListQuery) -> Result<Listing, Refusal> {
        let filter = filter(merchant, &query)?;
        if !filter
            .identifiers
            .iter()
            .all(|identifier| merchant.is_identified_by(identifier))
        {
            // Many may have typed it: it finds nobody, here as anywhere.
            return Ok(Listing::default());
        }
        let after = query
            .cursor
            .as_deref()
            .map(from_cursor)
            .transpose()?
            .map(CustomerId::from_uuid);
        let mut records = self
            .context
            .store
            .customers(&merchant.id, &filter, after, query.limit + 1)
            .await?;
        let has_more = records.len() > query.limit;
        records.truncate(query.limit);
        let next_cursor = has_more
            .then(|| records.last().map(|last| to_cursor(last.id.as_uuid())))
            .flatten();
        Ok(Listing {
            data: records.iter().map(customer_json).collect(),
            next_cursor,
        })
    }

    /// A customer's versions, newest first.
    ///
    /// # Errors
    /// 404; 400 for a cursor that cannot be read.
    pub async fn customer_history(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listing, Refusal> {
        if self.context.store.customer(&merchant.id, id).await?.is_none() {
            return Err(Refusal::not_found("customer"));
        }
        let before = cursor.as_deref().map(from_cursor).transpose()?.map(UpsertId::from_uuid);
        let mut page = self.context.store.history(id, before, limit + 1).await?;
        let extra = (page.entries.len() > limit).then(|| page.entries.pop()).flatten();
        let next_cursor = extra
            .is_some()
            .then(|| page.entries.last().map(|last| to_cursor(last.upsert.as_uuid())))
            .flatten();
        let nothing = Customer::default();
        let data = (0..page.entries.len())
            .map(|index| {
                let entry = &page.entries[index];
                // A refused version changed nothing for those after it: the version below is the last accepted one.
                let older = page.entries[index + 1..]
                    .iter()
                    .chain(extra.as_ref())
                    .chain(page.below.as_ref());
                let before = older
                    .into_iter()
                    .find(|older| !older.refused)
                    .map_or(&nothing, |older| &older.record);
                let mut changes = before.changes_to(&entry.record);
                changes.extend(entry.links.iter().map(adopted));
                json!({
                    "version": entry.version,
                    "at": entry.at,
                    "by": entry.by,
                    "upsert_id": entry.upsert,
                    "changes": changes,
                    "ignored": entry.ignored,
                    "refused": entry.refused,
                })
            })
            .collect();
        Ok(Listing { data, next_cursor })
    }

    /// How an upsert stands.
    ///
    /// # Errors
    /// 404.
    pub async fn get_upsert(&self, merchant: &Arc<Merchant>, id: UpsertId) -> Result<Answer, Refusal> {
        self.upserts
            .upsert_answer(merchant, id, None)
            .await?
            .ok_or_else(|| Refusal::not_found("upsert"))
    }
}

/// A vendor's record that a version brought.
fn adopted((connection, record): (&String, &String)) -> Change {
    Change {
        pointer: format!("/links/{}", escape(connection)),
        from: Json::Null,
        to: json!(record),
    }
}

fn filter(merchant: &Merchant, query: &CustomerListQuery) -> Result<CustomerFilter, Refusal> {
    let mut filter = CustomerFilter::default();
    let mut problems = Vec::new();
    let region = merchant.default_region.as_deref();
    let mut read = |name: &str, field: Field, raw: &Option<String>| {
        let raw = raw.as_deref()?;
        canonical_text(field, raw, region)
            .map_err(|refused| problems.push(Problem::new(name, refused.code, refused.detail)))
            .ok()
    };
    let reference = read("reference", Field::Reference, &query.reference);
    let email = read("email", Field::Email, &query.email);
    let phone = read("phone", Field::Phone, &query.phone);
    filter.status = read("status", Field::Status, &query.status);
    filter.kind = read("kind", Field::Kind, &query.kind);
    filter.tag = read("tag", Field::Tags, &query.tag);
    let given = [
        (IdentifierKind::Reference, reference),
        (IdentifierKind::Email, email),
        (IdentifierKind::Phone, phone),
    ];
    filter.identifiers = given
        .into_iter()
        .filter_map(|(kind, value)| Some(Identifier { kind, value: value? }))
        .collect();
    if let Some(raw) = &query.updated_since {
        match raw.parse::<Timestamp>() {
            Ok(since) => filter.updated_since = Some(since),
            Err(_) => problems.push(Problem::new("updated_since", "invalid_time", "is not an RFC 3339 time")),
        }
    }
    if problems.is_empty() {
        Ok(filter)
    } else {
        Err(invalid_query(problems))
    }
}
