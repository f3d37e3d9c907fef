//! Listening: the HTTP server with its limits, bound before anything runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use upsert_dashboard::Dashboard;
use upsert_settings::Settings;

use crate::http::middleware::observe;
use crate::routes;
use crate::startup::start_error::StartError;
use crate::state::State;

/// A head that takes longer to arrive is answered with 408.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections a worker has open at the most; more wait to be accepted.
const CONNECTIONS_A_WORKER: usize = 4_096;
const BACKLOG: u32 = 4_096;
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// An address that is bound, and the server that is to answer there.
pub(crate) struct Bound {
    /// Where; with the port that was found, if any would do.
    pub(crate) addr: SocketAddr,
    run: Box<dyn FnOnce() -> Server>,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({})", self.addr)
    }
}

impl Bound {
    /// Starts the workers.
    pub(crate) fn run(self) -> Server {
        (self.run)()
    }
}

/// Binds the address of the gateway.
pub(crate) fn bind_all(
    settings: &Settings,
    state: &Arc<State>,
    dashboard: &Arc<Dashboard>,
) -> Result<Bound, StartError> {
    let state = Data::from(state.clone());
    let dashboard = Data::from(dashboard.clone());
    let server = HttpServer::new(move || {
        let dashboard = dashboard.clone();
        App::new()
            .app_data(state.clone())
            .configure(routes::all)
            .configure(|config| upsert_dashboard::configure(config, dashboard))
            .default_service(actix_web::web::route().to(routes::fallback::fallback))
            .wrap(from_fn(observe))
    });
    let server = server
        .disable_signals()
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(Duration::from_secs(1))
        .keep_alive(KEEP_ALIVE)
        .max_connections(CONNECTIONS_A_WORKER)
        .backlog(BACKLOG)
        .tcp_nodelay(true)
        .shutdown_timeout(settings.server.shutdown_grace.as_secs());
    let server = match settings.server.workers {
        0 => server,
        workers => server.workers(workers),
    };
    bound(
        &settings.server.bind,
        server.bind(&settings.server.bind),
        HttpServer::addrs,
        HttpServer::run,
    )
}

/// Binds an address for `/metrics` alone.
pub(crate) fn bind_metrics(address: &str, state: &Arc<State>) -> Result<Bound, StartError> {
    let state = Data::from(state.clone());
    let app = move || {
        App::new()
            .app_data(state.clone())
            .service(routes::process::metrics_apart())
    };
    let server = HttpServer::new(app)
        .disable_signals()
        .client_request_timeout(HEAD_TIMEOUT)
        .workers(1)
        .shutdown_timeout(1);
    bound(address, server.bind(address), HttpServer::addrs, HttpServer::run)
}

fn bound<S: 'static>(
    address: &str,
    bound: io::Result<S>,
    addrs: impl FnOnce(&S) -> Vec<SocketAddr>,
    run: impl FnOnce(S) -> Server + 'static,
) -> Result<Bound, StartError> {
    let refused = |why| StartError::Bind {
        address: address.to_owned(),
        why,
    };
    let server = bound.map_err(refused)?;
    let addr = addrs(&server).first().copied();
    Ok(Bound {
        addr: addr.ok_or_else(|| refused(io::Error::other("the name has no address")))?,
        run: Box::new(move || run(server)),
    })
}
