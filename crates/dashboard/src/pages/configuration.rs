//! `GET /ops/configuration`: what is configured, since when, and what each reading of the files changed.

use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use upsert_settings::Reach;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::query::{given, read};
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::configuration::{InForce, Line};

/// Merchants that the form suggests.
const SUGGESTED: usize = 500;

#[derive(Deserialize)]
struct Choice {
    merchant: Option<String>,
}

#[derive(Template)]
#[template(path = "configuration.html")]
struct ConfigurationPage {
    frame: Frame,
    in_force: InForce,
    /// Whose configuration is shown; empty: the gateway's own.
    merchant: String,
    merchants: Vec<String>,
    /// Whether the gateway's own may be seen.
    sees_gateway: bool,
}

/// The page.
#[get("/configuration")]
pub(crate) async fn show(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let choice: Choice = read(&request)?;
    let merchants = session.merchants(SUGGESTED);
    let sees_gateway = session.principal.reach == Reach::All;
    let merchant = match given(choice.merchant.as_deref()) {
        Some(id) => Some(session.merchant(&id)?.id.clone()),
        None if sees_gateway => None,
        None => merchants.first().cloned(),
    };
    let visibility = session.principal.in_sight();
    let told = session
        .dashboard
        .configuration
        .json(visibility.as_ref(), merchant.as_deref());
    page(&ConfigurationPage {
        in_force: shapes::read(told)?,
        merchant: merchant.unwrap_or_default(),
        merchants,
        sees_gateway,
        frame: session.frame(Section::Configuration, "Configuration"),
    })
}

impl Line {
    /// Where in its file it stands; the page says whose file it is.
    fn path(&self) -> &str {
        self.place.split_once(": ").map_or("itself", |(_, path)| path)
    }
}
