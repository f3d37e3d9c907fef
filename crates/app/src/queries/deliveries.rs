//! Lists of deliveries and upserts, newest first, for dashboards and for whoever looks after dead letters.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use upsert_core::{DeliveryId, UpsertId};
use upsert_store::{AttemptRecord, DeliveryRecord, SentRequest, UpsertFilter, UpsertRecord, UpsertState};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::queries::filter::{Reading, Written, below, oldest_of};
use crate::queries::page::{Listing, invalid_query, to_cursor};
use crate::view::delivery::{delivery_json, error_json, listed_delivery};
use crate::view::visibility::Visibility;

/// Which deliveries to list, as the query string has it.
#[derive(Debug, Clone, Default)]
pub struct DeliveryListQuery {
    /// Whose may be seen; none: all.
    pub merchants: Option<BTreeSet<String>>,
    /// One or more, with commas between.
    pub state: Option<String>,
    /// The connection's name.
    pub connection: Option<String>,
    /// What the error means.
    pub error_kind: Option<String>,
    /// The error's code.
    pub error_code: Option<String>,
    /// Why it waits.
    pub waiting_for: Option<String>,
    /// `cus_…`
    pub customer_id: Option<String>,
    /// `ups_…`
    pub upsert_id: Option<String>,
    /// RFC 3339.
    pub since: Option<String>,
    /// RFC 3339.
    pub until: Option<String>,
    /// How many.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Which upserts to list, as the query string has it.
#[derive(Debug, Clone, Default)]
pub struct UpsertListQuery {
    /// One or more, with commas between.
    pub state: Option<String>,
    /// The connection's name.
    pub connection: Option<String>,
    /// `cus_…`
    pub customer_id: Option<String>,
    /// RFC 3339.
    pub since: Option<String>,
    /// RFC 3339.
    pub until: Option<String>,
    /// How many.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl Queries {
    /// Deliveries, newest first.
    ///
    /// # Errors
    /// 400 for a filter or a cursor that cannot be read.
    pub async fn list_deliveries(&self, query: DeliveryListQuery, visibility: Visibility) -> Result<Listing, Refusal> {
        let written = Written(vec![
            ("state", query.state.as_deref()),
            ("connection", query.connection.as_deref()),
            ("error_kind", query.error_kind.as_deref()),
            ("error_code", query.error_code.as_deref()),
            ("waiting_for", query.waiting_for.as_deref()),
            ("customer_id", query.customer_id.as_deref()),
            ("upsert_id", query.upsert_id.as_deref()),
            ("since", query.since.as_deref()),
            ("until", query.until.as_deref()),
        ]);
        let mut reading = Reading::default();
        let mut filter = reading.filter(&written, visibility);
        if !reading.problems.is_empty() {
            return Err(invalid_query(reading.problems));
        }
        filter.merchants = query.merchants;
        let before = below(query.cursor.as_deref(), filter.until)?.map(DeliveryId::from_uuid);
        let page = self.context.store.deliveries(&filter, before, query.limit).await?;
        Ok(Listing {
            data: page
                .entries
                .iter()
                .map(|one| visibility.delivery(listed_delivery(one)))
                .collect(),
            next_cursor: page.next.map(|next| to_cursor(next.as_uuid())),
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
    ) -> Result<Json, Refusal> {
        let delivery = self.visible_delivery(merchants, id).await?;
        let attempts = self.context.store.attempts(id).await?;
        let mut shown = listed_delivery(&delivery);
        shown["attempt_log"] = attempts
            .iter()
            .map(|attempt| attempt_json(attempt, visibility))
            .collect();
        Ok(visibility.delivery(shown))
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
    /// 400 for a filter or a cursor that cannot be read.
    pub async fn list_upserts(
        &self,
        merchant: &Merchant,
        query: UpsertListQuery,
        visibility: Visibility,
    ) -> Result<Listing, Refusal> {
        let mut reading = Reading::default();
        let mut filter = UpsertFilter {
            merchant: merchant.id.clone(),
            connection: query.connection,
            ..UpsertFilter::default()
        };
        if let Some(text) = &query.state {
            filter.states = reading.words("state", text, &UpsertState::ALL, UpsertState::as_str);
        }
        filter.customer = query
            .customer_id
            .and_then(|text| reading.id("customer_id", &text, "cus_"));
        filter.since = query.since.and_then(|text| reading.time("since", &text));
        filter.until = query.until.and_then(|text| reading.time("until", &text));
        filter.above = filter.since.map(|since| UpsertId::from_uuid(oldest_of(since)));
        if !reading.problems.is_empty() {
            return Err(invalid_query(reading.problems));
        }
        let before = below(query.cursor.as_deref(), filter.until)?.map(UpsertId::from_uuid);
        let page = self.context.store.upserts(&filter, before, query.limit).await?;
        Ok(Listing {
            data: page
                .entries
                .iter()
                .map(|one| visibility.upsert(listed_upsert(one)))
                .collect(),
            next_cursor: page.next.map(|next| to_cursor(next.as_uuid())),
        })
    }
}

fn listed_upsert((upsert, deliveries): &(UpsertRecord, Vec<DeliveryRecord>)) -> Json {
    json!({
        "upsert_id": upsert.id,
        "state": upsert.state,
        "merchant_id": upsert.merchant,
        "customer_id": upsert.customer,
        "version": upsert.version,
        "new_customer": upsert.new_customer,
        "changed": upsert.changed,
        "rolled_back": upsert.rolled_back,
        "by": upsert.by,
        "through": upsert.through,
        "created_at": upsert.created_at,
        "ended_at": upsert.ended_at,
        "ignored": upsert.ignored,
        "deliveries": deliveries.iter().map(delivery_json).collect::<Vec<_>>(),
    })
}

fn attempt_json(attempt: &AttemptRecord, visibility: Visibility) -> Json {
    json!({
        "number": attempt.number,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "result": attempt.result,
        "vendor_status": attempt.vendor_status,
        "vendor_said": attempt.vendor_said,
        "request": attempt.request.as_ref().map(|request| request_json(request, visibility)),
        "error": attempt.error.as_ref().map(error_json),
    })
}

fn request_json(request: &SentRequest, visibility: Visibility) -> Json {
    json!({
        "method": request.method,
        "path": visibility.path(&request.path),
        "body": visibility.sent(&request.body),
    })
}
