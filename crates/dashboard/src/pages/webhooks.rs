//! `GET /ops/webhooks`: where events come from and where they go, those in trouble first; test and enable an endpoint.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;

use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::query::{address, given, read};
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::event::Test;
use crate::shapes::webhooks::{Endpoint, Source};

/// Rows of a table; a filter finds the others.
const MOST: usize = 200;

#[derive(Deserialize)]
struct Filter {
    merchant: Option<String>,
}

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
    let filter: Filter = read(&request)?;
    let merchant = given(filter.merchant.as_deref());
    let snapshot = session.dashboard.snapshots.fresh(&session.dashboard.gateway).await?;
    let is_wanted =
        |id: &str| session.principal.covers(id) && merchant.as_deref().is_none_or(|wanted| id.contains(wanted));
    let webhooks = &snapshot.webhooks;
    let mut sources: Vec<Source> = webhooks.sources.clone();
    sources.retain(|source| is_wanted(&source.merchant_id));
    sources.sort_by_key(|source| {
        (
            source.dead_letters == 0,
            source.merchant_id.clone(),
            source.name.clone(),
        )
    });
    let mut endpoints: Vec<Endpoint> = webhooks.endpoints.clone();
    endpoints.retain(|endpoint| is_wanted(&endpoint.merchant_id));
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
pub(crate) async fn test(session: Session, named: Named) -> HttpResponse {
    let (merchant, name) = named.into_inner();
    let tested = async {
        session.needs(Scope::OpsWrite)?;
        let known = session.merchant(&merchant)?;
        let answer = session
            .dashboard
            .gateway
            .operations
            .test_endpoint(&known, &name)
            .await?;
        told(&format!("{merchant} / {name}"), &shapes::read(answer)?)
    };
    let result = tested.await;
    back(&session, result).await
}

fn told(whose: &str, tried: &Test) -> Result<String, PageError> {
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
pub(crate) async fn enable(session: Session, named: Named) -> HttpResponse {
    let (merchant, name) = named.into_inner();
    let enabled = async {
        session.needs(Scope::OpsWrite)?;
        let known = session.merchant(&merchant)?;
        let by = &session.principal.name;
        session
            .dashboard
            .gateway
            .operations
            .enable_endpoint(&known, &name, by)
            .await?;
        Ok(format!(
            "{merchant} / {name} is enabled: new events go there; dead letters wait for a replay"
        ))
    };
    let result = enabled.await;
    back(&session, result).await
}

async fn back(session: &Session, result: Result<String, PageError>) -> HttpResponse {
    session.dashboard.snapshots.forget().await;
    session.done("/ops/webhooks", result)
}

impl Source {
    /// Its events, or its dead letters alone.
    fn events(&self, state: &str) -> String {
        let own = [
            ("merchant", Some(self.merchant_id.as_str())),
            ("source", Some(self.name.as_str())),
        ];
        address("/ops/events/in", &[own[0], own[1], ("state", Some(state))])
    }
}

impl Endpoint {
    fn is_well(&self) -> bool {
        self.disabled_since.is_none() && self.dead_letters == 0 && self.failures_in_a_row == 0
    }

    /// Its events, or those in these states alone.
    fn sent(&self, state: &str) -> String {
        let own = [
            ("merchant", Some(self.merchant_id.as_str())),
            ("endpoint", Some(self.name.as_str())),
        ];
        address("/ops/events/out", &[own[0], own[1], ("state", Some(state))])
    }

    fn action(&self, action: &str) -> String {
        format!("/ops/webhooks/{}/{}/{action}", self.merchant_id, self.name)
    }
}
