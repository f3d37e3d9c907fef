//! The addresses of the gateway, bound before anything runs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::App;
use actix_web::middleware::{Compat, from_fn};
use actix_web::web::Data;

use upsert_dashboard::Dashboard;
use upsert_settings::Settings;

use crate::http::answering::answer_as_asked;
use crate::http::cors::{cors, unless_none};
use crate::http::middleware::observe;
use crate::http::pacing::pace;
use crate::net::listener::{Bound, Listening, listen};
use crate::routes;
use crate::startup::start_error::StartError;
use crate::state::State;

/// Binds the address of the gateway.
pub(crate) fn bind_all(
    settings: &Settings,
    state: &Arc<State>,
    dashboard: &Arc<Dashboard>,
) -> Result<Bound, StartError> {
    let listening = Listening {
        address: &settings.server.bind,
        workers: settings.server.workers,
        shutdown: settings.server.shutdown_grace,
    };
    let connections = &state.connections;
    let state = Data::from(state.clone());
    let dashboard = Data::from(dashboard.clone());
    let bound = listen(listening, connections, move || {
        let dashboard = dashboard.clone();
        App::new()
            .app_data(state.clone())
            .configure(routes::all)
            .configure(|config| upsert_dashboard::configure(config, dashboard))
            .default_service(actix_web::web::route().to(routes::fallback::fallback))
            .wrap(from_fn(answer_as_asked))
            .wrap(Compat::new(cors(&state.clone().into_inner())))
            .wrap(from_fn(unless_none))
            .wrap(from_fn(observe))
    });
    bound.map_err(refused(listening.address))
}

/// Binds an address for `/metrics` alone, with places of its own: whoever crowds the other one keeps no scraper out.
pub(crate) fn bind_metrics(address: &str, state: &Arc<State>) -> Result<Bound, StartError> {
    let listening = Listening {
        address,
        workers: 1,
        shutdown: Duration::from_secs(1),
    };
    let connections = &state.metrics_connections;
    let state = Data::from(state.clone());
    let bound = listen(listening, connections, move || {
        App::new()
            .app_data(state.clone())
            .service(routes::process::metrics_apart())
            .wrap(from_fn(answer_as_asked))
            .wrap(from_fn(pace))
    });
    bound.map_err(refused(address))
}

fn refused(address: &str) -> impl FnOnce(io::Error) -> StartError {
    let address = address.to_owned();
    move |why| StartError::Bind { address, why }
}
