//! Looking things up: customers, their history, upserts. Another merchant's things do not exist.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use upsert_api::{CustomerFilter, CustomerRecord, HistoryEntry, LinkedCustomer, Own, Page, PageQuery, Visibility};
use upsert_core::canonicalise::canonical_text;
use upsert_core::customer::{Change, escape};
use upsert_core::{Customer, CustomerId, ErasureId, Field, Identifier, IdentifierKind, Problem, UpsertId};
use upsert_store::{ErasureRecord, HistoryRecord, Known, Through};

use crate::directory::merchant::Merchant;
use crate::planning::route::route;
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::queries::page::{begins, shown_page, until_found};
use crate::view::answer::Answer;
use crate::view::customer::{customer_record, linked_customer};

impl Queries {
    /// The record, and in it its links.
    ///
    /// # Errors
    /// 404.
    pub async fn get_customer(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        visibility: Visibility,
    ) -> Result<LinkedCustomer, Refusal> {
        let known = self.known_customer(merchant, id).await?;
        let routed = route(merchant, &known.record.customer).unwrap_or_default();
        let is_routed = |name: &str| routed.iter().any(|connection| connection.name == name);
        Ok(visibility.show(linked_customer(&known, is_routed)))
    }

    pub(crate) async fn known_customer(&self, merchant: &Merchant, id: CustomerId) -> Result<Known, Refusal> {
        let known = self.context.store.customer(&merchant.id, id).await?;
        known.ok_or_else(|| Refusal::not_found("customer"))
    }

    /// Customers, oldest first.
    ///
    /// # Errors
    /// 400 for a filter or a cursor that cannot be read.
    pub async fn list_customers(
        &self,
        merchant: &Merchant,
        filter: &CustomerFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<CustomerRecord>, Refusal> {
        let filter = canonical(merchant, filter)?;
        let mut identifiers = filter.identifiers.iter();
        if !identifiers.all(|identifier| merchant.is_identified_by(identifier)) {
            // Many may have typed it: it finds nobody, here as anywhere.
            return Ok(Page::whole(Vec::new()));
        }
        let after = begins(page, CustomerId::from_uuid)?;
        let (store, filter) = (&self.context.store, &filter);
        let read = |after| async move {
            let page = store.customers(&merchant.id, filter, after, page.limit).await?;
            Ok::<_, Refusal>((page.entries, page.next))
        };
        let (found, next) = until_found(after, read).await?;
        let shown = |record| visibility.show(customer_record(record));
        Ok(shown_page(
            found.iter().map(shown),
            next.as_ref().map(CustomerId::as_uuid),
        ))
    }

    /// A customer's versions, newest first; of one who was erased, that and nothing else.
    ///
    /// # Errors
    /// 404; 400 for a cursor that cannot be read.
    pub async fn customer_history(
        &self,
        merchant: &Merchant,
        id: CustomerId,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<HistoryEntry>, Refusal> {
        let before = begins(page, UpsertId::from_uuid)?;
        if let Err(missing) = self.known_customer(merchant, id).await {
            let erasure = self
                .known_erasure(merchant, ErasureId::of(id))
                .await
                .map_err(|_| missing)?;
            return Ok(Page::whole(vec![erased_entry(erasure)]));
        }
        let limit = page.limit;
        let mut found = self.context.store.history(&merchant.id, id, before, limit + 1).await?;
        let extra = (found.entries.len() > limit).then(|| found.entries.pop()).flatten();
        let last = found.entries.last().filter(|_| extra.is_some());
        let next = last.map(|last| last.upsert.as_uuid());
        let below: Vec<&HistoryRecord> = extra.iter().chain(&found.below).collect();
        let entries = found.entries.iter().enumerate();
        let data = entries.map(|(index, entry)| {
            let older = found.entries[index + 1..].iter().chain(below.iter().copied());
            visibility.show(history_entry(entry, older))
        });
        Ok(shown_page(data, next))
    }

    /// How an upsert stands that a key of this name made, as somebody is told who may not read customers. What it has sent itself
    /// is covered too: it is not kept apart.
    ///
    /// # Errors
    /// 404: others' are not there for it.
    pub async fn get_own_upsert(&self, merchant: &Arc<Merchant>, id: UpsertId, by: &str) -> Result<Answer, Refusal> {
        let found = self.context.store.upsert(&merchant.id, id).await?;
        let is_own = found.is_some_and(|(upsert, _)| {
            // A source may be named like a key. What was stored before ways were noted says none.
            upsert.by == by && upsert.through != Some(Through::Webhook)
        });
        if !is_own {
            return Err(Refusal::not_found("upsert"));
        }
        let answer = self.get_upsert(merchant, id).await?;
        Ok(answer.seen_by(Visibility::Masked, Own::default()))
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

/// `older`: the versions before it, the next one first.
fn history_entry<'a>(entry: &HistoryRecord, mut older: impl Iterator<Item = &'a HistoryRecord>) -> HistoryEntry {
    let nothing = Customer::default();
    // A refused version changed nothing for those after it: the version before is the last accepted one.
    let before = older
        .find(|older| !older.refused)
        .map_or(&nothing, |older| &older.record);
    let mut changes = before.changes_to(&entry.record);
    changes.extend(entry.links.iter().map(adopted));
    HistoryEntry {
        version: entry.version,
        at: entry.at,
        by: entry.by.clone(),
        upsert_id: Some(entry.upsert),
        erasure_id: None,
        changes,
        ignored: entry.ignored.clone(),
        refused: entry.refused,
    }
}

/// That it happened, and not what it was.
fn erased_entry(erasure: ErasureRecord) -> HistoryEntry {
    HistoryEntry {
        version: erasure.version,
        at: erasure.at,
        by: erasure.by,
        upsert_id: None,
        erasure_id: Some(erasure.id),
        changes: Vec::new(),
        ignored: Vec::new(),
        refused: false,
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

/// Values as a request's.
fn canonical(merchant: &Merchant, filter: &CustomerFilter) -> Result<upsert_store::CustomerFilter, Refusal> {
    let mut problems = Vec::new();
    let region = merchant.default_region.as_deref();
    let mut read = |name: &str, field: Field, raw: &Option<String>| {
        let raw = raw.as_deref()?;
        canonical_text(field, raw, region)
            .map_err(|refused| problems.push(Problem::new(name, refused.code, refused.detail)))
            .ok()
    };
    let identifiers = [
        (IdentifierKind::Reference, "reference", &filter.reference),
        (IdentifierKind::Email, "email", &filter.email),
        (IdentifierKind::Phone, "phone", &filter.phone),
    ];
    let identifiers = identifiers.into_iter().filter_map(|(kind, name, raw)| {
        let value = read(name, kind.field(), raw)?;
        Some(Identifier { kind, value })
    });
    let canonical = upsert_store::CustomerFilter {
        identifiers: identifiers.collect(),
        status: read("status", Field::Status, &filter.status),
        kind: read("kind", Field::Kind, &filter.kind),
        tag: read("tag", Field::Tags, &filter.tag),
        updated_since: filter.updated_since,
    };
    if problems.is_empty() {
        Ok(canonical)
    } else {
        Err(Refusal::invalid_query(problems))
    }
}
