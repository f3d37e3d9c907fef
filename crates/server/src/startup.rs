//! The only assembler: from settings to a server that answers, and back to a process that may end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use arc_swap::ArcSwap;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_actix_web::AppExt as _;

use upsert_app::{Directory, Gateway, GatewayParts};
use upsert_core::{Clock, SystemClock};
use upsert_provider_kit::Registry;
use upsert_settings::{Problem, Settings};
use upsert_store::{Store, StoreError};

use crate::assemble::{BreakerBell, Workshop};
use crate::day_counts::DayCounts;
use crate::keyring::Keyring;
use crate::lifecycle::{Lifecycle, Phase};
use crate::observe::observe;
use crate::opening::Opened;
use crate::reload::{ReloadFrom, Reloader, show_generation};
use crate::served::Served;
use crate::state::State;
use crate::{check, measure, openapi, routes};

/// A head that takes longer to arrive is answered with 408.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// As is a body that takes longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections a worker has open at the most; more wait to be accepted.
const CONNECTIONS_A_WORKER: usize = 4_096;
const BACKLOG: u32 = 4_096;
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The exporter's histograms are to be emptied from time to time.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What a start is told beside the settings. The default is a process of its own without reloading.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Where to read the configuration again on SIGHUP or when a file has changed; none: never.
    pub reload: Option<ReloadFrom>,
    /// A store in the place of the one that the settings name.
    pub store: Option<Arc<dyn Store>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            reload: None,
            store: None,
            clock: Arc::new(SystemClock),
            body_timeout: BODY_TIMEOUT,
        }
    }
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration asks for something that is not there.
    #[error("{}", lines(.0))]
    Settings(Vec<Problem>),
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(String),
    /// The store was opened, and then failed.
    #[error(transparent)]
    Recovery(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured.
        address: String,
        /// Why.
        source: io::Error,
    },
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A server that answers.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where `/metrics` is, if it has an address of its own.
    pub metrics_addr: Option<SocketAddr>,
    state: Arc<State>,
    background: Background,
    handles: Vec<ServerHandle>,
    opened: Opened,
    grace: Duration,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// Starts the gateway. When it answers, requests are answered: settings are judged, the store is open and recovered,
/// the address is bound.
///
/// # Errors
/// See [`StartError`]; nothing is left running.
pub async fn start(settings: Settings, registry: Registry, options: StartOptions) -> Result<Running, StartError> {
    let unbuilt = check::unbuilt(&settings);
    if !unbuilt.is_empty() {
        return Err(StartError::Settings(unbuilt));
    }
    measure::recorder();
    upsert_policy::describe_metrics();
    let workshop = Arc::new(Workshop::new(registry, options.clock.clone()));
    let opened = match options.store.clone() {
        Some(store) => Opened::given(store),
        None => Opened::open(&settings.store.url).await?,
    };
    let counts = DayCounts::read(opened.store.as_ref(), options.clock.as_ref()).await?;
    let assembled = workshop
        .assemble(&settings, &Directory::default(), &counts)
        .map_err(StartError::Settings)?;
    let gateway = Gateway::new(GatewayParts {
        store: opened.store.clone(),
        clock: options.clock.clone(),
        directory: assembled.directory,
        idempotency_keep: settings.server.idempotency_keep,
    });
    gateway.recover().await?;

    let state = Arc::new(state_of(&settings, &gateway, &workshop, &options));
    let (server, addr) = bind_all(&settings, &state)?;
    let metrics = settings.server.metrics_bind.as_deref().map(bind_metrics).transpose()?;
    let background = Background::default();
    let mut handles = vec![server.handle()];
    background.serve(server);
    let metrics_addr = metrics.map(|(server, addr)| {
        handles.push(server.handle());
        background.serve(server);
        addr
    });
    gateway.run_background();
    background.listen(&gateway, assembled.bells);
    background.keep_metrics();
    announce(&settings, &workshop, addr);
    if let Some(from) = options.reload {
        let reloader = Reloader {
            from,
            state: state.clone(),
            workshop,
            background: background.clone(),
            started_with: settings.clone(),
        };
        background.tasks.spawn(reloader.run(background.stopping.clone()));
    }
    Ok(Running {
        addr,
        metrics_addr,
        state,
        background,
        handles,
        opened,
        grace: settings.server.shutdown_grace,
    })
}

fn state_of(settings: &Settings, gateway: &Gateway, workshop: &Workshop, options: &StartOptions) -> State {
    show_generation(1);
    State {
        gateway: gateway.clone(),
        served: ArcSwap::from_pointee(Served {
            keys: Keyring::new(&settings.api_keys, &Keyring::default()),
            directory: gateway.directory(),
            body_limit: settings.server.body_limit,
            generation: 1,
            is_stale: false,
        }),
        lifecycle: Lifecycle::default(),
        providers: routes::providers::document(workshop.registry()),
        documented: openapi::documented(),
        body_timeout: options.body_timeout,
        metrics_apart: settings.server.metrics_bind.is_some(),
    }
}

fn announce(settings: &Settings, workshop: &Workshop, addr: SocketAddr) {
    for warning in check::warnings(settings, workshop.registry()) {
        tracing::warn!("{warning}");
    }
    tracing::warn!("what is stored is not sealed: no encryption key is set");
    tracing::info!(%addr, merchants = settings.merchants.len(), store = %settings.store.url, "the gateway is ready");
}

fn bind_all(settings: &Settings, state: &Arc<State>) -> Result<(Server, SocketAddr), StartError> {
    let state = Data::from(state.clone());
    let server = HttpServer::new(move || {
        let (app, _documented) = App::new()
            .app_data(state.clone())
            .into_utoipa_app()
            .configure(routes::all)
            .split_for_parts();
        app.default_service(actix_web::web::route().to(routes::fallback::fallback))
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
    bound(&settings.server.bind, server.bind(&settings.server.bind), |server| server.addrs(), HttpServer::run)
}

fn bind_metrics(address: &str) -> Result<(Server, SocketAddr), StartError> {
    let server = HttpServer::new(|| App::new().service(routes::metrics::apart()))
        .disable_signals()
        .client_request_timeout(HEAD_TIMEOUT)
        .workers(1)
        .shutdown_timeout(1);
    bound(address, server.bind(address), |server| server.addrs(), HttpServer::run)
}

/// Runs what was bound, and says where.
fn bound<S>(
    address: &str,
    bound: io::Result<S>,
    addrs: impl FnOnce(&S) -> Vec<SocketAddr>,
    run: impl FnOnce(S) -> Server,
) -> Result<(Server, SocketAddr), StartError> {
    let refused = |source| StartError::Bind {
        address: address.to_owned(),
        source,
    };
    let server = bound.map_err(refused)?;
    let addr = addrs(&server).first().copied();
    let addr = addr.ok_or_else(|| refused(io::Error::other("the name has no address")))?;
    Ok((run(server), addr))
}

impl Running {
    /// Stops: `/readyz` says so, no new connections are taken, requests in flight are answered, deliveries that are
    /// under way end, the store is closed. All of it within the configured grace; what has not ended by then is
    /// durable, and the next process goes on with it.
    pub async fn stop(self) {
        let deadline = Instant::now() + self.grace;
        let left = || deadline.saturating_duration_since(Instant::now());
        tracing::info!("stopping");
        self.state.lifecycle.enter(Phase::Draining);
        for handle in &self.handles {
            handle.pause().await;
        }
        if !self.state.lifecycle.idle_within(left()).await {
            tracing::warn!("requests were still being answered when the grace was over");
        }
        self.state.lifecycle.enter(Phase::Closed);
        self.background.stopping.cancel();
        // Deliveries run on the workers' threads: they have to end before the workers do.
        if timeout(left(), self.state.gateway.shut_down()).await.is_err() {
            tracing::warn!("deliveries were still under way when the grace was over: the next start takes them back");
        }
        for handle in &self.handles {
            let graceful = !left().is_zero();
            if timeout(left().max(Duration::from_secs(1)), handle.stop(graceful)).await.is_err() {
                handle.stop(false).await;
            }
        }
        self.background.tasks.close();
        if timeout(left().max(Duration::from_secs(1)), self.background.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks did not end in time");
        }
        self.opened.close().await;
        tracing::info!("stopped");
    }
}

/// What runs beside the requests, until the server stops.
#[derive(Debug, Clone, Default)]
pub(crate) struct Background {
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

impl Background {
    fn serve(&self, server: Server) {
        self.tasks.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
    }

    /// Whenever a breaker closes, all that waits for its connection is due at once.
    pub(crate) fn listen(&self, gateway: &Gateway, bells: Vec<BreakerBell>) {
        for mut bell in bells {
            let (gateway, stopping) = (gateway.clone(), self.stopping.clone());
            self.tasks.spawn(async move {
                loop {
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        // The connection is gone with its breaker.
                        changed = bell.closed.changed() => if changed.is_err() { return },
                    }
                    gateway.release(&bell.merchant, &bell.connection);
                }
            });
        }
    }

    fn keep_metrics(&self) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let mut ticks = interval(UPKEEP_EVERY);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = ticks.tick() => measure::recorder().run_upkeep(),
                }
            }
        });
    }
}
