//! Reading the configuration anew: on SIGHUP, or when a file has changed. Only a whole that is right replaces the
//! running one, at once; otherwise the running one stays, and the problems are logged, counted and shown.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use upsert_settings::{Environment, Problem, Secrets, Settings};

use crate::config::audited_reload::acts_of;
use crate::config::builder::{Assembled, ConnectionBuilder};
use crate::config::check;
use crate::config::day_counts::DayCounts;
use crate::config::key_store::Keys;
use crate::config::snapshot::ConfigSnapshot;
use crate::config::stored_merchants::{MerchantBuilder, Surroundings};
use crate::http::metrics::RELOADS;
use crate::startup::background::Background;
use crate::startup::lost::Lost;
use crate::startup::watch::Look;
use crate::state::State;
use crate::telemetry::log_filter;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looking takes at most so much of the time, one part in fifty: a great many files are looked at less often.
const SHARE: u32 = 50;

/// Files that were changed are read when they have looked the same for this long.
const SETTLES_IN: Duration = Duration::from_millis(200);

/// So often it is waited for that; then they are read as they are.
const MOST_LOOKS: usize = 10;

/// Where the configuration is read from again.
#[derive(Debug, Clone)]
pub struct ReloadFrom {
    folder: PathBuf,
    environment: Environment,
    /// How the folder looked before it was read for the first time.
    before: Look,
}

impl ReloadFrom {
    /// From this folder, in this environment (a process cannot see changes to its own). To be made before the settings
    /// are loaded, so that no change is missed. It blocks on the file system.
    pub fn new(folder: impl Into<PathBuf>, environment: Environment) -> Self {
        let folder = folder.into();
        Self {
            before: Look::at(&folder, &[]),
            folder,
            environment,
        }
    }
}

impl ReloadFrom {
    /// Where references are followed.
    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            environment: self.environment.clone(),
            folder: self.folder.clone(),
        }
    }
}

/// Reads the configuration anew for as long as the server runs.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) from: ReloadFrom,
    pub(crate) state: Arc<State>,
    pub(crate) builder: Arc<ConnectionBuilder>,
    pub(crate) background: Background,
    /// What the process was started with.
    pub(crate) started_with: Settings,
    /// SIGHUP, as far as it can be heard.
    pub(crate) hangups: Option<Signal>,
}

/// Hears SIGHUP.
pub(crate) fn hangups() -> Option<Signal> {
    match signal(SignalKind::hangup()) {
        Ok(hangups) => Some(hangups),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be heard: a changed file still is seen");
            None
        }
    }
}

/// Why a configuration was not taken over.
#[derive(Debug)]
struct Refused {
    problems: Vec<Problem>,
    /// It is not the files: they are read again soon, whether they change or not.
    is_passing: bool,
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            is_passing: false,
        }
    }
}

/// How long after a look that took so long comes the next.
fn look_after(took: Duration) -> Duration {
    LOOK_EVERY.max(took.saturating_mul(SHARE))
}

impl Reloader {
    /// Watches until the server stops.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        let mut secret_files = self.started_with.secret_files.clone();
        let mut seen = self.look(&secret_files).await;
        let mut is_late = self.look(&[]).await != self.from.before;
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => std::mem::take(&mut is_late),
                Some(()) = next(&mut self.hangups) => true,
            };
            let began = Instant::now();
            let look = self.look(&secret_files).await;
            ticks.reset_after(look_after(began.elapsed()));
            if !is_asked && look == seen {
                continue;
            }
            seen = self.settled(look, &secret_files).await;
            match self.reload().await {
                Ok(read) => {
                    // What changed while it was read is read again. The later look is the one that says so: what changes
                    // between the two is then seen by it, or by the next.
                    let now = self.look(&read).await;
                    is_late = self.look(&secret_files).await != seen;
                    (seen, secret_files) = (now, read);
                }
                Err(refused) => {
                    is_late = refused.is_passing;
                    self.refused(&refused.problems);
                }
            }
        }
    }

    /// How the files look once nobody writes to them any more: half a file may be a valid one that says something else.
    async fn settled(&self, mut look: Look, secret_files: &[PathBuf]) -> Look {
        for _ in 0..MOST_LOOKS {
            tokio::time::sleep(SETTLES_IN).await;
            let again = self.look(secret_files).await;
            if again == look {
                break;
            }
            look = again;
        }
        look
    }

    async fn look(&self, secret_files: &[PathBuf]) -> Look {
        let (folder, secret_files) = (self.from.folder.clone(), secret_files.to_vec());
        let look = tokio::task::spawn_blocking(move || Look::at(&folder, &secret_files));
        look.await.unwrap_or_default()
    }

    /// Reads, checks, builds, and takes over. Answers which files hold its secrets.
    async fn reload(&self) -> Result<Vec<PathBuf>, Refused> {
        let from = self.from.clone();
        let load =
            tokio::task::spawn_blocking(move || Settings::load(&from.folder, &from.environment, Secrets::Resolve));
        let settings = load.await.map_err(|_| vec![self.whole("reading it broke off")])??;
        let unfit = check::unfit(&settings);
        if !unfit.is_empty() {
            return Err(unfit.into());
        }
        let lost = Lost::between(&self.state.history.in_force(), &settings);
        if let Some(refused) = lost.refused(&self.from.folder.join("gateway.toml")) {
            return Err(refused.into());
        }
        let gateway = &self.state.gateway;
        let counts = DayCounts::read(gateway.store().as_ref(), gateway.clock().as_ref())
            .await
            .map_err(|error| self.passing(&format!("the day's calls cannot be read: {error}")))?;
        let before = self.state.served.load_full();
        let assembled = self.builder.assemble(&settings, &before.directory, &counts)?;
        // What can be refused is refused before anybody is told of it.
        let rules = MerchantBuilder::rules_of(&settings)?;
        let settings = Arc::new(settings);
        self.write_down(before.generation + 1, &settings).await?;
        self.told(before.generation + 1, &settings).await;
        let are_others = self.state.merchant_builder.configure(rules);
        gateway.store().configure_keys(self.state.merchant_builder.keyring());
        self.serve(&settings, &before, assembled);
        if are_others {
            gateway.operations.rebuild_stored_merchants();
        }
        self.accepted(&settings, before.generation + 1);
        lost.told();
        Ok(settings.secret_files.clone())
    }

    /// What is sent and who may ask change together: nothing is waited for in between.
    fn serve(&self, settings: &Settings, before: &ConfigSnapshot, assembled: Assembled) {
        let gateway = &self.state.gateway;
        for connections in [&self.state.connections, &self.state.metrics_connections] {
            connections.trust(&settings.server.trusted_proxies);
        }
        gateway.operations.replace_directory(assembled.directory);
        self.state.served.store(Arc::new(ConfigSnapshot {
            keys: Keys::new(&settings.api_keys, &before.keys),
            directory: gateway.directory(),
            body_limit: settings.server.body_limit,
            base_path: settings.server.base_path.clone(),
            cors_origins: settings.server.cors_origins.clone(),
            generation: before.generation + 1,
            is_stale: false,
        }));
        self.background.listen(gateway, assembled.bells);
    }

    /// Tells what they change, before anybody is served by them.
    async fn told(&self, generation: u64, settings: &Arc<Settings>) {
        let state = self.state.clone();
        let (told, now) = (settings.clone(), self.state.gateway.clock().now());
        let telling = tokio::task::spawn_blocking(move || state.history.take_over(generation, now, told));
        if telling.await.is_err() {
            tracing::error!(generation, "what the configuration changed could not be told");
        }
    }

    /// Has the audit trail tell what they change, before they do. What cannot be written down is not taken over.
    async fn write_down(&self, generation: u64, settings: &Arc<Settings>) -> Result<(), Refused> {
        let (before, after) = (self.state.history.in_force(), settings.clone());
        let compare = move || acts_of(generation, &upsert_settings::changes(&before, &after));
        let acts = tokio::task::spawn_blocking(compare).await;
        let acts = acts.map_err(|_| vec![self.whole("comparing it broke off")])?;
        let recorded = self.state.gateway.audit.record(&acts).await;
        recorded.map_err(|error| self.passing(&format!("the audit trail cannot be written: {error}")))
    }

    /// The store is busy or away: nothing that is changed may be lost over it, least of all a key that was taken away.
    fn passing(&self, why: &str) -> Refused {
        Refused {
            problems: vec![self.whole(why)],
            is_passing: true,
        }
    }

    fn accepted(&self, settings: &Settings, generation: u64) {
        count("ok");
        if let Some(filter) = log_filter::of_process() {
            filter.configure(&settings.telemetry.log);
        }
        tracing::info!(
            generation,
            merchants = settings.merchants.len(),
            "configuration taken over"
        );
        for warning in check::warnings(settings) {
            tracing::warn!("{warning}");
        }
        let waiting = self.state.history.waits_for_restart();
        if !waiting.is_empty() {
            tracing::warn!(
                members = waiting.join(", "),
                "what takes effect with the next start has changed"
            );
        }
    }

    fn refused(&self, problems: &[Problem]) {
        count("refused");
        let now = self.state.gateway.clock().now();
        self.state.history.refuse(now, problems);
        self.state.served.rcu(|served| ConfigSnapshot {
            keys: served.keys.clone(),
            directory: served.directory.clone(),
            base_path: served.base_path.clone(),
            cors_origins: served.cors_origins.clone(),
            is_stale: true,
            ..**served
        });
        for problem in problems {
            tracing::error!("{problem}");
        }
        tracing::error!(problems = problems.len(), "configuration refused: the one before stays");
    }

    fn whole(&self, message: &str) -> Problem {
        let location = upsert_settings::Location::whole(self.from.folder.display().to_string());
        Problem::new(&location, "", message)
    }
}

async fn next(hangups: &mut Option<Signal>) -> Option<()> {
    match hangups {
        Some(hangups) => hangups.recv().await,
        None => std::future::pending().await,
    }
}

fn count(result: &'static str) {
    metrics::counter!(RELOADS, "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::Timestamp;
    use upsert_core::{Clock, SystemClock};
    use upsert_provider_kit::Registry;
    use upsert_testkit::MemoryStore;

    use super::*;
    use crate::startup::assembly::{StartOptions, start};

    /// Whoever asks for the time may have waited: it is looked then whether all are served by one configuration.
    #[derive(Debug, Default)]
    struct Looking {
        state: OnceLock<Arc<State>>,
        asked: AtomicUsize,
        torn: AtomicUsize,
    }

    impl Clock for Looking {
        fn now(&self) -> Timestamp {
            if let Some(state) = self.state.get() {
                self.asked.fetch_add(1, Ordering::Relaxed);
                if !Arc::ptr_eq(&state.gateway.directory(), &state.served.load().directory) {
                    self.torn.fetch_add(1, Ordering::Relaxed);
                }
            }
            SystemClock.now()
        }
    }

    #[test]
    fn files_that_are_looked_at_fast_are_looked_at_often_and_others_take_a_fiftieth_of_the_time() {
        assert_eq!(look_after(Duration::from_millis(3)), Duration::from_secs(2));
        assert_eq!(look_after(Duration::from_millis(300)), Duration::from_secs(15));
    }

    #[tokio::test]
    async fn what_is_sent_and_who_may_ask_change_together_after_it_was_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        write("[server]\nbind = \"127.0.0.1:0\"\nworkers = 1\n");
        let environment = Environment::from_iter(Vec::<(String, String)>::new());
        let settings = Settings::load(folder.path(), &environment, Secrets::Resolve).unwrap();
        let clock = Arc::new(Looking::default());
        let options = StartOptions {
            store: Some(Arc::new(MemoryStore::new())),
            clock: clock.clone(),
            ..StartOptions::default()
        };
        let running = start(settings.clone(), Registry::new(), options).await.unwrap();
        clock.state.set(running.state.clone()).unwrap();
        let reloader = Reloader {
            from: ReloadFrom::new(folder.path(), environment),
            state: running.state.clone(),
            builder: Arc::new(ConnectionBuilder::new(Registry::new(), clock.clone())),
            background: running.background.clone(),
            started_with: settings,
            hangups: None,
        };
        write("[server]\nbind = \"127.0.0.1:0\"\nworkers = 1\nbody_limit = \"32KiB\"\n");
        reloader.reload().await.unwrap();
        let served = running.state.served.load_full();
        assert_eq!((served.generation, served.body_limit), (2, 32 * 1024));
        assert!(Arc::ptr_eq(&running.state.gateway.directory(), &served.directory));
        assert!(clock.asked.load(Ordering::Relaxed) > 0);
        assert_eq!(clock.torn.load(Ordering::Relaxed), 0, "somebody looked in between");
        running.stop().await;
    }
}
