//! Merchants in the store: `/v1/merchants`.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderValue};
use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse, delete, get, put};
use serde_json::Value as Json;

use upsert_api::{ListedMerchant, Page, PageQuery, ProblemCode, StoredMerchant};
use upsert_app::{NewMerchant, Refusal};
use upsert_core::Problem as Wrong;
use upsert_settings::is_name;
use upsert_store::MerchantRecord;

use crate::config::stored_merchants::kept;
use crate::http::access::{Access, AdministerAll};
use crate::http::body::{JsonBody, NoBody};
use crate::http::preconditions::Preconditions;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_page};
use crate::routes::reply;
use crate::state::State;

/// Merchants in the store, by id.
///
/// Scope: `admin`, for every merchant (`*`).
#[utoipa::path(
    tag = "merchants",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ListedMerchant>)),
)]
#[get("/v1/merchants")]
pub(crate) async fn list_merchants(
    caller: Access<AdministerAll>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = read_page(&request)?;
    let after = page.cursor.as_deref().map(id_of_cursor).transpose()?;
    let mut rows = state
        .gateway
        .store()
        .merchants(after.as_deref(), page.limit + 1)
        .await
        .map_err(Refusal::from)?;
    let has_more = rows.len() > page.limit;
    rows.truncate(page.limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|last| cursor_of_id(&last.id));
    let listed = |row: MerchantRecord| ListedMerchant {
        name: kept(&row).ok().and_then(|kept| kept.name().map(str::to_owned)),
        in_file: caller.served.directory.is_in_file(&row.id),
        generation: row.revision,
        id: row.id,
        put_at: row.put_at,
        put_by: row.put_by,
    };
    Ok(reply::json(&Page {
        data: rows.into_iter().map(listed).collect(),
        next_cursor,
    }))
}

/// A merchant in the store. Its secrets are never read back.
///
/// Scope: `admin`, for every merchant (`*`).
#[utoipa::path(
    tag = "merchants",
    params(("id" = String, Path, description = "The merchant's id")),
    responses(
        (status = 200, description = "The merchant", body = StoredMerchant,
            headers(("ETag" = String, description = "Its generation"))),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`merchant_in_file`"),
    ),
)]
#[get("/v1/merchants/{id}")]
pub(crate) async fn get_merchant(
    caller: Access<AdministerAll>,
    id: Path<String>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    may_handle(&caller, &id)?;
    let row = state.gateway.store().merchant(&id).await.map_err(Refusal::from)?;
    let row = row.filter(|row| row.body.is_some());
    shown(
        StatusCode::OK,
        &row.ok_or_else(|| Refusal::not_found("merchant in the store"))?,
    )
}

/// Puts a merchant into the store, in the place of the one that is there. It takes effect in every process within two
/// seconds.
///
/// Scope: `admin`, for every merchant (`*`).
#[utoipa::path(
    tag = "merchants",
    params(
        ("id" = String, Path, description = "The merchant's id"),
        Preconditions,
    ),
    request_body(
        content = serde_json::Value, content_type = "application/json",
        description = "The members of a merchant's file as JSON. A secret is `{ \"value\": \"…\" }`, or a reference that `[server] api_merchants_may_refer_to` allows",
    ),
    responses(
        (status = 200, description = "It was there before", body = StoredMerchant,
            headers(("ETag" = String, description = "Its generation"))),
        (status = 201, description = "It is new", body = StoredMerchant,
            headers(("ETag" = String, description = "Its generation"))),
        (status = 409, description = "`merchant_in_file`"),
        (status = 412, description = "`precondition_failed`: it has another generation"),
        (status = 422, description = "`validation_failed`: everything that is wrong, by JSON Pointer"),
    ),
)]
#[put("/v1/merchants/{id}")]
pub(crate) async fn put_merchant(
    caller: Access<AdministerAll>,
    id: Path<String>,
    preconditions: Preconditions,
    body: JsonBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    may_handle(&caller, &id)?;
    let id = id.into_inner();
    let document = of_id(&id, body.0).map_err(|wrong| Refusal::invalid(vec![wrong]))?;
    // What is referred to may be in files.
    let (merchant_builder, owner) = (state.merchant_builder.clone(), id.clone());
    let sealed = block(move || merchant_builder.seal(&owner, document)).await;
    let sealed = sealed.map_err(|_| Refusal::new(ProblemCode::Internal, "the request could not be handled"))??;
    // Checking and sealing took their time.
    let key = caller.in_force(&state).key()?;
    let new = NewMerchant {
        id,
        by: key.name.clone(),
        sealed_with: sealed.sealed_with().map(str::to_owned),
        body: Some(sealed.body()),
    };
    let (row, was_there) = state.gateway.operations.change_merchant(new, preconditions.0).await?;
    shown(if was_there { StatusCode::OK } else { StatusCode::CREATED }, &row)
}

/// Deletes a merchant from the store. What is kept of its customers stays; what waits for its connections is kept waiting.
///
/// Scope: `admin`, for every merchant (`*`).
#[utoipa::path(
    tag = "merchants",
    params(
        ("id" = String, Path, description = "The merchant's id"),
        Preconditions,
    ),
    responses(
        (status = 204, description = "It is gone, in every process within two seconds"),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`merchant_in_file`"),
        (status = 412, description = "`precondition_failed`: it has another generation"),
        (status = 422, description = "`validation_failed`: there is a body"),
    ),
)]
#[delete("/v1/merchants/{id}")]
pub(crate) async fn delete_merchant(
    caller: Access<AdministerAll>,
    id: Path<String>,
    preconditions: Preconditions,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    may_handle(&caller, &id)?;
    let gone = NewMerchant {
        id: id.into_inner(),
        by: caller.key.name.clone(),
        sealed_with: None,
        body: None,
    };
    state.gateway.operations.change_merchant(gone, preconditions.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether this caller may manage this merchant here.
fn may_handle(caller: &Access<AdministerAll>, id: &str) -> Result<(), Problem> {
    if caller.served.directory.is_in_file(id) {
        let detail = "a file of the configuration has this merchant, and wins over the store";
        return Err(Problem::new(ProblemCode::MerchantInFile, detail));
    }
    Ok(())
}

/// The document with its id, which may be left out, and is no other than the path's.
fn of_id(id: &str, document: Json) -> Result<Json, Wrong> {
    let Json::Object(mut members) = document else {
        return Err(Wrong::new("", "invalid", "a merchant is an object"));
    };
    if !is_name(id) {
        let detail = "an id is 1 to 63 of a-z, 0-9, _ and -, the first a letter or a digit";
        return Err(Wrong::new("/id", "invalid", detail));
    }
    let given = members.insert("id".to_owned(), id.into());
    match given.filter(|given| !given.is_null() && given != id) {
        Some(_) => Err(Wrong::new("/id", "invalid", "is another one than the path's")),
        None => Ok(Json::Object(members)),
    }
}

fn shown(status: StatusCode, row: &MerchantRecord) -> Result<HttpResponse, Problem> {
    let kept = kept(row).map_err(|error| {
        tracing::error!(merchant = row.id, error, "a merchant cannot be shown");
        Problem::new(ProblemCode::Internal, "the request could not be handled")
    })?;
    let Json::Object(members) = kept.shown() else {
        return Err(Problem::new(ProblemCode::Internal, "the request could not be handled"));
    };
    let shown = StoredMerchant {
        generation: row.revision,
        put_at: row.put_at,
        put_by: row.put_by.clone(),
        members,
    };
    let mut response = reply::with_status(status, &shown);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", row.revision)) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// Ids are URL-safe already; a cursor says of itself that it is one.
const CURSOR: &str = "after-";

fn cursor_of_id(id: &str) -> String {
    format!("{CURSOR}{id}")
}

fn id_of_cursor(cursor: &str) -> Result<String, Problem> {
    let id = cursor.strip_prefix(CURSOR).filter(|id| is_name(id));
    let bad = || Problem::invalid_query("cursor", "invalid_cursor", "is not a cursor of this list");
    id.map(str::to_owned).ok_or_else(bad)
}
