//! `GET /ops/webhooks`: where events come from and where they go, those in trouble first; test and enable an endpoint.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;

use upsert_api::{Endpoint, EndpointTest, IncomingState, OutgoingState, Source};
use upsert_core::EventPayload;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links::{self, WEBHOOKS};
use crate::query::read;
use crate::render::{Frame, Section, filters, page};

/// Rows of a table; a filter finds the others.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    merchant: String,
    sources: Vec<Source>,
    endpoints: Vec<Endpoint>,
    /// Of either table.
    left_out: usize,
}

/// The page.
#[get("/webhooks")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let merchant = read(&request)?.given("merchant");
    let snapshot = session.snapshot().await?;
    let is_wanted = |id: &str| merchant.as_deref().is_none_or(|wanted| id.contains(wanted));
    let found = snapshot.of(|id| session.principal.covers(id) && is_wanted(id));
    let (mut sources, mut endpoints) = (found.webhooks.sources, found.webhooks.endpoints);
    sources.sort_by_key(|source| {
        (
            source.dead_letters == 0,
            source.merchant_id.clone(),
            source.name.clone(),
        )
    });
    endpoints.sort_by_key(|endpoint| (endpoint.is_well(), endpoint.merchant_id.clone(), endpoint.name.clone()));
    let left_out = sources.len().saturating_sub(MOST) + endpoints.len().saturating_sub(MOST);
    sources.truncate(MOST);
    endpoints.truncate(MOST);
    page(&WebhooksPage {
        merchant: merchant.unwrap_or_default(),
        sources,
        endpoints,
        left_out,
        frame: session.frame(Section::Webhooks, "Webhooks"),
    })
}

type Named = Path<(String, String)>;

/// Sends it an event once and now, and tells what it answered.
#[post("/webhooks/{merchant}/{name}/test")]
pub(crate) async fn test(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let test = async {
        let (known, operations) = (session.merchant(&merchant).await?, &session.gateway().operations);
        let answer = operations.test_endpoint(&known, &name, &session.principal.name).await?;
        told(&format!("{merchant} / {name}"), &answer)
    };
    session.operate(WEBHOOKS, test).await
}

fn told(whose: &str, tried: &EndpointTest) -> Result<String, PageError> {
    let status = tried.status.map(|status| format!(" with {status}")).unwrap_or_default();
    let took = tried.duration_ms;
    if tried.delivered {
        return Ok(format!("{whose} took the test event{status} in {took} ms"));
    }
    let error = tried.error.as_deref().unwrap_or("it did not say why");
    let says = format!("{whose} did not take the test event: {error} (after {took} ms)");
    Err(PageError::new(StatusCode::BAD_GATEWAY, says))
}

/// Events go there again.
#[post("/webhooks/{merchant}/{name}/enable")]
pub(crate) async fn enable(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let enable = async {
        let (known, operations) = (session.merchant(&merchant).await?, &session.gateway().operations);
        let by = &session.principal.name;
        operations.enable_endpoint(&known, &name, by).await?;
        Ok(format!(
            "{merchant} / {name} is enabled: new events go there; dead letters wait for a replay"
        ))
    };
    session.operate(WEBHOOKS, enable).await
}
