//! The pages, one file each, and their addresses.

mod action;
mod audit;
mod configuration;
mod connection;
mod connections;
mod customer;
mod customers;
mod deliveries;
mod delivery;
mod erasure;
mod event;
mod event_dead_letters;
mod events;
mod incidents;
mod many_deliveries;
mod merchant_field;
pub(crate) mod methods;
mod overview;
mod plan;
mod session;
mod sums;
mod timeline;
mod typed;
mod webhooks;

use actix_web::http::Method;
use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::assets;
use crate::auth::enter;
use crate::auth::session::see_other;
use crate::error::PageError;
use crate::state::Dashboard;

/// The dashboard's routes, all below `/ops`, behind its door.
pub fn configure(config: &mut ServiceConfig, dashboard: Data<Dashboard>) {
    let dashboard = web::scope("/ops")
        .app_data(dashboard)
        .service(overview::show)
        .service(overview::live)
        .service(session::sign_in)
        .service(session::sign_out)
        .service(assets::asset)
        .service(connections::list)
        .service(connections::live)
        .service(connection::show)
        .service(connection::live)
        .service(connection::pause)
        .service(connection::resume)
        .service(connection::try_now)
        .service(deliveries::list)
        // Before the page of one: these are no ids.
        .service(many_deliveries::confirm)
        .service(many_deliveries::carry_out)
        .service(delivery::show)
        .service(delivery::live)
        .service(delivery::replay)
        .service(delivery::discard)
        .service(webhooks::list)
        .service(webhooks::test)
        .service(webhooks::enable)
        .service(events::list)
        .service(event_dead_letters::confirm)
        .service(event_dead_letters::carry_out)
        .service(event::show)
        .service(event::handle)
        .service(incidents::list)
        .service(incidents::show)
        .service(audit::list)
        .service(configuration::show)
        .service(customers::show)
        .service(customers::find)
        .service(customer::show)
        .service(customer::ask_unlink)
        .service(customer::unlink)
        .service(erasure::ask)
        .service(erasure::erase)
        .service(plan::show)
        .service(plan::make)
        // As some type it.
        .route("/", web::get().to(async || see_other("/ops")))
        .default_service(web::to(nowhere))
        .wrap(from_fn(enter::enter));
    config.service(dashboard);
}

/// No page has this address, or not with this method.
async fn nowhere(request: HttpRequest) -> Result<HttpResponse, PageError> {
    let Some(template) = page_of(&request) else {
        let shorter = request.uri().path().strip_suffix('/');
        let known = shorter.filter(|path| request.resource_map().match_pattern(path).is_some());
        return match known {
            Some(path) => Ok(HttpResponse::PermanentRedirect()
                .insert_header((LOCATION, path))
                .finish()),
            None => Err(PageError::not_found("page")),
        };
    };
    let allowed = methods::allowed(&template);
    if request.method() == Method::OPTIONS {
        let mut answer = HttpResponse::NoContent().finish();
        methods::say(answer.headers_mut(), allowed);
        return Ok(answer);
    }
    Err(PageError::not_allowed(allowed))
}

/// The template of the page at this address. The dashboard as a whole has one too, which is no page.
fn page_of(request: &HttpRequest) -> Option<String> {
    request.match_pattern().filter(|template| template != "/ops/")
}
