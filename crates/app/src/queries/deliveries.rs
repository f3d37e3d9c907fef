//! Lists of deliveries and upserts, newest first, for dashboards and for whoever looks after dead letters.

use upsert_api::{
    DeliveryFilter, ListedDelivery, ListedUpsert, Page, PageQuery, UpsertFilter, Visibility, WholeDelivery,
};
use upsert_core::{DeliveryId, Problem, UpsertId};
use upsert_store::DeliveryRecord;

use crate::problem::Refusal;
use crate::queries::names::Named;
use crate::queries::page::{begins, shown_page, until_found};
use crate::queries::{Merchants, Queries};
use crate::view::delivery::{listed_delivery, listed_upsert, whole_delivery};

impl Queries {
    /// Deliveries, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read, a connection that is not there, or a code that the caller may not ask for.
    pub async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<ListedDelivery>, Refusal> {
        if let Some(covered) = covered_code(filter, visibility) {
            return Err(Refusal::invalid_query(vec![covered]));
        }
        let before = begins(page, DeliveryId::from_uuid)?;
        let filter = self.context.at_merchants(filter).await?;
        let (store, filter) = (&self.context.store, &filter);
        let read = |before| async move {
            let page = store.deliveries(filter, before, page.limit).await?;
            Ok::<_, Refusal>((page.entries, page.next))
        };
        let (found, next) = until_found(before, read).await?;
        if found.is_empty() {
            let name = filter.connection.as_deref();
            self.known(filter.merchants.as_ref(), Named::Connection, name).await?;
        }
        let shown = |record| visibility.show(listed_delivery(record));
        Ok(shown_page(
            found.iter().map(shown),
            next.as_ref().map(DeliveryId::as_uuid),
        ))
    }

    /// One delivery with its attempts. `merchants`: whose may be seen; none: all. `visibility`: how much of what was sent.
    ///
    /// # Errors
    /// 404.
    pub async fn get_delivery(
        &self,
        merchants: Merchants<'_>,
        id: DeliveryId,
        visibility: Visibility,
    ) -> Result<WholeDelivery, Refusal> {
        let delivery = self.visible_delivery(merchants, id).await?;
        let attempts = self.context.store.attempts(&delivery.merchant, id).await?;
        Ok(visibility.show(whole_delivery(&delivery, attempts)))
    }

    /// A delivery of a merchant that may be seen.
    pub(crate) async fn visible_delivery(
        &self,
        merchants: Merchants<'_>,
        id: DeliveryId,
    ) -> Result<DeliveryRecord, Refusal> {
        for merchant in self.context.merchants_of(id.mark(), merchants).await? {
            if let Some(delivery) = self.context.store.delivery(&merchant, id).await? {
                return Ok(delivery);
            }
        }
        Err(Refusal::not_found("delivery"))
    }

    /// One merchant's upserts, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read, or a connection that is not there.
    pub async fn list_upserts(
        &self,
        filter: &UpsertFilter,
        page: &PageQuery,
        visibility: Visibility,
    ) -> Result<Page<ListedUpsert>, Refusal> {
        let before = begins(page, UpsertId::from_uuid)?;
        let store = &self.context.store;
        let read = |before| async move {
            let page = store.upserts(filter, before, page.limit).await?;
            Ok::<_, Refusal>((page.entries, page.next))
        };
        let (found, next) = until_found(before, read).await?;
        if found.is_empty() {
            let merchant = Some([filter.merchant.clone()].into());
            let name = filter.connection.as_deref();
            self.known(merchant.as_ref(), Named::Connection, name).await?;
        }
        let shown = |found| visibility.show(listed_upsert(found));
        Ok(shown_page(
            found.into_iter().map(shown),
            next.as_ref().map(UpsertId::as_uuid),
        ))
    }
}

/// A code that would be covered cannot be asked for either.
pub(crate) fn covered_code(filter: &DeliveryFilter, visibility: Visibility) -> Option<Problem> {
    let code = filter.error_code.as_deref()?;
    let detail = "is not a word of letters, digits, `_`, `-` and `.`; for another one the key needs `customers:read`";
    (!visibility.may_ask_for_code(code)).then(|| Problem::new("error_code", "invalid_value", detail))
}
