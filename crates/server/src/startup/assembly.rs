//! The only assembler: from settings to a server that answers, and back to a process that may end.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::SignedDuration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use upsert_app::{Directory, Gateway, GatewayParts, LOOK_EVERY, Retention, Spans, StoredMerchants};
use upsert_core::{Clock, SystemClock};
use upsert_provider_kit::Registry;
use upsert_settings::{Problem, Settings};
use upsert_store::Store;

use crate::config::audit_keys::AuditKeys;
use crate::config::builder::{BreakerBell, ConnectionBuilder};
use crate::config::check;
use crate::config::day_counts::DayCounts;
use crate::config::history::ConfigHistory;
use crate::config::key_store::Keys;
use crate::config::rotation::word;
use crate::config::snapshot::ConfigSnapshot;
use crate::config::stored_merchants::MerchantBuilder;
use crate::http::coded_once::CodedOnce;
use crate::http::shared_answer::SharedAnswer;
use crate::http::shared_page::SharedPage;
use crate::http::{dashboard, metrics as measure};
use crate::lifecycle::Lifecycle;
use crate::net::connection::Deadlines;
use crate::net::connections::Connections;
use crate::net::places::Places;
use crate::routes;
use crate::startup::background::Background;
use crate::startup::binding::{bind_all, bind_metrics};
use crate::startup::openapi;
use crate::startup::reload::{self, ReloadFrom, Reloader};
use crate::startup::resealing::reseal;
use crate::startup::running::Running;
use crate::startup::start_error::StartError;
use crate::startup::store::Opened;
use crate::state::State;
use crate::telemetry::traces::Traces;

/// A body that takes longer to arrive is answered with 408.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// How long the rest of a connection may take.
    pub deadlines: Deadlines,
    /// How often it is looked what is due, and what other processes have done.
    pub look_every: Duration,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            reload: None,
            store: None,
            clock: Arc::new(SystemClock),
            body_timeout: BODY_TIMEOUT,
            deadlines: Deadlines::default(),
            look_every: LOOK_EVERY,
        }
    }
}

/// Starts the gateway. When it answers, requests are answered: settings are judged, the store is open and recovered,
/// the address is bound.
///
/// # Errors
/// See [`StartError`]; nothing is left running.
pub async fn start(settings: Settings, registry: Registry, options: StartOptions) -> Result<Running, StartError> {
    let unfit = check::unfit(&settings);
    if !unfit.is_empty() {
        return Err(StartError::Settings(unfit));
    }
    measure::recorder();
    let opened = opened(&settings, &options).await?;
    let builder = Arc::new(ConnectionBuilder::new(registry, options.clock.clone()).over(&opened.store));
    let traces = Traces::open(&settings.telemetry).map_err(StartError::Traces)?;
    let counts = DayCounts::read(opened.store.as_ref(), options.clock.as_ref()).await?;
    let (bells, rung) = unbounded_channel();
    let merchant_builder = merchant_builder(&settings, &builder, &options, bells).map_err(StartError::Settings)?;
    let stored = Arc::new(StoredMerchants::new(merchant_builder.clone()));
    let assembled = builder
        .assemble(&settings, &Directory::beside([], stored), &counts)
        .map_err(StartError::Settings)?;
    let gateway = Gateway::new(GatewayParts {
        store: opened.store.clone(),
        clock: options.clock.clone(),
        directory: assembled.directory,
        idempotency_keep: settings.server.idempotency_keep,
        retention: retention(settings.retention),
        spans: traces.clone().map(|traces| traces as Arc<dyn Spans>),
        look_every: options.look_every,
        audit_keys: merchant_builder.clone(),
        signing_key: check::signing_key(&settings).map_err(|problem| StartError::Settings(vec![problem]))?,
    });
    gateway.deliveries.recover().await?;
    let state = Arc::new(state_of(
        &settings,
        &gateway,
        &builder,
        &options,
        (traces, merchant_builder),
    ));
    let running = serve(&settings, state, opened)?;
    gateway.run_background();
    running.background.listen(&gateway, assembled.bells);
    running.background.listen_to_all(&gateway, rung);
    keep_going(&running);
    announce(&settings, &running);
    if let Some(from) = options.reload {
        watch(from, &running, builder, settings);
    }
    Ok(running)
}

async fn opened(settings: &Settings, options: &StartOptions) -> Result<Opened, StartError> {
    if let Some(store) = options.store.clone() {
        return Ok(Opened::given(store));
    }
    let keys = check::keyring(settings).map_err(StartError::Settings)?;
    Opened::open(&settings.store, Arc::new(keys)).await
}

/// What goes on beside requests and deliveries for as long as the process runs.
fn keep_going(running: &Running) {
    let background = &running.background;
    let resealing = reseal(running.state.clone(), background.stopping.clone());
    background.tasks.spawn(resealing);
    background.watch_connections(&running.state.connections);
    background.watch_connections(&running.state.metrics_connections);
    background.keep_metrics();
    background.keep_log_filter();
}

fn retention(keep: upsert_settings::Retention) -> Retention {
    let signed = |keep: Duration| SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
    Retention {
        upserts: keep.upserts.map(signed),
        attempts: keep.attempts.map(signed),
        history: keep.history.map(signed),
        audit: keep.audit.map(signed),
    }
}

/// Binds every address before the first request is answered at one of them.
fn serve(settings: &Settings, state: Arc<State>, opened: Opened) -> Result<Running, StartError> {
    let background = Background::default();
    let dashboard = Arc::new(dashboard::dashboard(&state, background.stopping.clone()));
    let main = bind_all(settings, &state, &dashboard)?;
    let metrics = settings.server.metrics_bind.as_deref();
    let metrics = metrics.map(|address| bind_metrics(address, &state)).transpose()?;
    let (addr, metrics_addr) = (main.addr, metrics.as_ref().map(|bound| bound.addr));
    background.tasks.spawn(async move { dashboard.observe().await });
    let mut handles = Vec::new();
    for bound in std::iter::once(main).chain(metrics) {
        let server = bound.run();
        handles.push(server.handle());
        background.serve(server);
    }
    Ok(Running {
        addr,
        metrics_addr,
        state,
        background,
        handles,
        opened,
        drain_delay: settings.server.drain_delay,
        grace: settings.server.shutdown_grace,
        told: OnceLock::new(),
    })
}

fn watch(from: ReloadFrom, running: &Running, builder: Arc<ConnectionBuilder>, settings: Settings) {
    let background = running.background.clone();
    let stopping = background.stopping.clone();
    let reloader = Reloader {
        from,
        state: running.state.clone(),
        builder,
        background,
        started_with: settings,
        // Heard from now on: unheard, the signal would end the process.
        hangups: reload::hangups(),
    };
    running.background.tasks.spawn(reloader.run(stopping));
}

fn state_of(
    settings: &Settings,
    gateway: &Gateway,
    builder: &ConnectionBuilder,
    options: &StartOptions,
    (traces, merchant_builder): (Option<Arc<Traces>>, Arc<MerchantBuilder>),
) -> State {
    let connected = |places| {
        let proxies = settings.server.trusted_proxies.clone();
        Arc::new(Connections::new(places, options.deadlines, proxies))
    };
    State {
        gateway: gateway.clone(),
        served: ArcSwap::from_pointee(ConfigSnapshot {
            keys: Keys::new(&settings.api_keys, &Keys::default()),
            directory: gateway.directory(),
            body_limit: settings.server.body_limit,
            base_path: settings.server.base_path.clone(),
            cors_origins: settings.server.cors_origins.clone(),
            generation: 1,
            is_stale: false,
        }),
        merchant_builder,
        history: ConfigHistory::begin(gateway.clock().now(), Arc::new(settings.clone())),
        connections: connected(Places::of_process()),
        metrics_connections: connected(Places::of_metrics()),
        lifecycle: Lifecycle::default(),
        providers: routes::operations::providers(builder.registry()),
        documented: LazyLock::new(openapi::documented),
        body_timeout: options.body_timeout,
        metrics: SharedPage::default(),
        audit_keys: AuditKeys::default(),
        coded: CodedOnce::default(),
        readiness: SharedAnswer::default(),
        metrics_apart: settings.server.metrics_bind.is_some(),
        traces,
        started_at: options.clock.now(),
    }
}

fn merchant_builder(
    settings: &Settings,
    builder: &Arc<ConnectionBuilder>,
    options: &StartOptions,
    bells: UnboundedSender<BreakerBell>,
) -> Result<Arc<MerchantBuilder>, Vec<Problem>> {
    let around = options
        .reload
        .as_ref()
        .map(ReloadFrom::surroundings)
        .unwrap_or_default();
    MerchantBuilder::new(settings, builder.clone(), options.clock.clone(), around, bells).map(Arc::new)
}

fn announce(settings: &Settings, running: &Running) {
    let (addr, places) = (running.addr, running.state.connections.places);
    for warning in check::warnings(settings) {
        tracing::warn!("{warning}");
    }
    match settings.store.encryption_keys.first() {
        Some(first) => {
            let encryption: &str = word(running.state.gateway.store().encryption(), true).into();
            tracing::info!(key = first.id, encryption, "what is stored is sealed");
        }
        None => tracing::warn!("what is stored is not sealed: no encryption key is set"),
    }
    tracing::info!(
        open_files = places.files,
        connections = places.connections,
        without_key = places.strangers,
        without_key_of_an_address = places.of_an_address,
        "so many connections there may be"
    );
    tracing::info!(%addr, merchants = settings.merchants.len(), store = %settings.store.url, "the gateway is ready");
}
