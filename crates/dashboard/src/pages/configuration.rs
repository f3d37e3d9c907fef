//! `GET /ops/configuration`: what is configured, since when, and what each reading of the files changed.

use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;

use upsert_api::Configuration;
use upsert_settings::Reach;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::query::read;
use crate::render::{Frame, Section, filters, page};
use crate::words;

/// Merchants that the form suggests.
const SUGGESTED: usize = 500;

#[derive(Template)]
#[template(path = "configuration.html")]
struct ConfigurationPage {
    frame: Frame,
    in_force: Configuration,
    /// Whose configuration is shown; empty: the gateway's own.
    merchant: String,
    merchants: Vec<String>,
    /// Whether the gateway's own may be seen.
    sees_gateway: bool,
}

/// The page.
#[get("/configuration")]
pub(crate) async fn show(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let sent = read(&request)?;
    let merchants = session.merchants(SUGGESTED);
    let sees_gateway = session.principal.reach == Reach::All;
    let merchant = match sent.get("merchant") {
        Some(id) => Some(session.merchant(id).await?.id.clone()),
        None if sees_gateway => None,
        None => merchants.first().cloned(),
    };
    let in_sight = session.principal.in_sight();
    let configuration = &session.dashboard.parts.configuration;
    page(&ConfigurationPage {
        in_force: configuration.shown(in_sight.as_ref(), merchant.as_deref()),
        merchant: merchant.unwrap_or_default(),
        merchants,
        sees_gateway,
        frame: session.frame(Section::Configuration, "Configuration"),
    })
}
