//! Lists of deliveries and upserts, newest first, for dashboards and for whoever looks after dead letters.

use std::collections::BTreeSet;

use upsert_api::{
    DeliveryFilter, ListedDelivery, ListedUpsert, Page, PageQuery, UpsertFilter, Visibility, WholeDelivery,
};
use upsert_core::{DeliveryId, Problem, UpsertId};
use upsert_store::DeliveryRecord;

use crate::problem::Refusal;
use crate::queries::Queries;
use crate::queries::page::{begins, to_cursor};
use crate::view::delivery::{listed_delivery, listed_upsert, whole_delivery};

impl Queries {
    /// Deliveries, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read, or a code that the caller may not ask for.
    pub async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<ListedDelivery>, Refusal> {
        let covered: Vec<_> = covered_code(filter, visibility).into_iter().collect();
        if !covered.is_empty() {
            return Err(Refusal::invalid_query(covered));
        }
        let before = begins(page, DeliveryId::from_uuid)?;
        let found = self.context.store.deliveries(filter, before, page.limit).await?;
        let shown = |record| visibility.show(listed_delivery(record));
        Ok(Page {
            data: found.entries.iter().map(shown).collect(),
            next_cursor: found.next.map(|next| to_cursor(next.as_uuid())),
        })
    }

    /// One delivery with its attempts. `merchants`: whose may be seen; none: all. `visibility`: how much of what was sent.
    ///
    /// # Errors
    /// 404.
    pub async fn get_delivery(
        &self,
        merchants: Option<&BTreeSet<String>>,
        id: DeliveryId,
        visibility: Visibility,
    ) -> Result<WholeDelivery, Refusal> {
        let delivery = self.visible_delivery(merchants, id).await?;
        let attempts = self.context.store.attempts(id).await?;
        Ok(visibility.show(whole_delivery(&delivery, attempts)))
    }

    /// A delivery of a merchant that may be seen.
    pub(crate) async fn visible_delivery(
        &self,
        merchants: Option<&BTreeSet<String>>,
        id: DeliveryId,
    ) -> Result<DeliveryRecord, Refusal> {
        let delivery = self.context.store.delivery(id).await?;
        delivery
            .filter(|delivery| merchants.is_none_or(|merchants| merchants.contains(&delivery.merchant)))
            .ok_or_else(|| Refusal::not_found("delivery"))
    }

    /// One merchant's upserts, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read.
    pub async fn list_upserts(
        &self,
        filter: &UpsertFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<ListedUpsert>, Refusal> {
        let before = begins(page, UpsertId::from_uuid)?;
        let found = self.context.store.upserts(filter, before, page.limit).await?;
        let shown = |found| visibility.show(listed_upsert(found));
        Ok(Page {
            data: found.entries.into_iter().map(shown).collect(),
            next_cursor: found.next.map(|next| to_cursor(next.as_uuid())),
        })
    }
}

/// A code that would be covered cannot be asked for either.
pub(crate) fn covered_code(filter: &DeliveryFilter, visibility: Visibility) -> Option<Problem> {
    let code = filter.error_code.as_deref()?;
    let detail = "is not a word of letters, digits, `_`, `-` and `.`; for another one the key needs `customers:read`";
    (!visibility.may_ask_for_code(code)).then(|| Problem::new("error_code", "invalid_value", detail))
}
