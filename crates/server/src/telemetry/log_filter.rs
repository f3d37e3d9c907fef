//! What is logged, changed while the process runs: by the configuration, or by hand and for a while. Whoever spoke last
//! has its way.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use upsert_api::Logs;

use crate::telemetry::log_directives::{TelemetryError, filter};

static OF_PROCESS: OnceLock<LogFilter> = OnceLock::new();

/// The filter of this process's log; none where somebody else has set up its log.
pub(crate) fn of_process() -> Option<&'static LogFilter> {
    OF_PROCESS.get()
}

/// From now on this is the filter of the process's log.
pub(crate) fn belongs_to_process(filter: LogFilter) -> Result<(), TelemetryError> {
    OF_PROCESS.set(filter).map_err(|_| TelemetryError::Twice)
}

type Apply = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// The filter of a log.
pub(crate) struct LogFilter {
    apply: Apply,
    /// Whether the configuration has no say.
    is_fixed: bool,
    said: Mutex<Said>,
    /// When the configured one is to come back.
    ends: watch::Sender<Option<Instant>>,
}

/// What is in force, and what would be otherwise.
#[derive(Debug, Clone)]
struct Said {
    configured: String,
    by_hand: Option<ByHand>,
}

#[derive(Debug, Clone)]
struct ByHand {
    filter: String,
    until: Option<Timestamp>,
}

/// For how long a filter is in force: until then, which is so far away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForAWhile {
    pub(crate) length: Duration,
    pub(crate) until: Timestamp,
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFilter")
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}

impl LogFilter {
    pub(crate) fn new(directives: &str, is_fixed: bool, apply: Apply) -> Self {
        Self {
            apply,
            is_fixed,
            said: Mutex::new(Said {
                configured: directives.to_owned(),
                by_hand: None,
            }),
            ends: watch::Sender::new(None),
        }
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> Logs {
        let said = self.said().clone();
        let until = said.by_hand.as_ref().and_then(|by_hand| by_hand.until);
        Logs {
            filter: said
                .by_hand
                .map_or_else(|| said.configured.clone(), |by_hand| by_hand.filter),
            configured: said.configured,
            until,
        }
    }

    /// Takes a filter that somebody set by hand, for a while or until anybody says otherwise.
    ///
    /// # Errors
    /// It cannot be read; the one before stays.
    pub(crate) fn set(&self, by: &str, directives: &str, how_long: Option<ForAWhile>) -> Result<(), TelemetryError> {
        let mut said = self.said();
        self.swap(directives, || {
            tracing::warn!(by, filter = directives, "the log's filter was changed by hand");
        })?;
        said.by_hand = Some(ByHand {
            filter: directives.to_owned(),
            until: how_long.map(|how_long| how_long.until),
        });
        self.ends
            .send_replace(how_long.map(|how_long| Instant::now() + how_long.length));
        Ok(())
    }

    /// Takes what the configuration says, if that is something new. A filter that cannot be read was refused before.
    pub(crate) fn configure(&self, directives: &str) {
        let mut said = self.said();
        if self.is_fixed || said.configured == directives {
            return;
        }
        let told = || tracing::info!(filter = directives, "the log's filter was changed by the configuration");
        if self.swap(directives, told).is_ok() {
            directives.clone_into(&mut said.configured);
            said.by_hand = None;
            self.ends.send_replace(None);
        }
    }

    /// Gives the configured filter back when its time has come, for as long as the server runs.
    pub(crate) async fn keep(&self, stopping: CancellationToken) {
        let mut ends = self.ends.subscribe();
        loop {
            let end = *ends.borrow_and_update();
            let is_over = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                changed = ends.changed() => if changed.is_err() { return },
                () = is_over => self.give_back(end),
            }
        }
    }

    fn give_back(&self, end: Option<Instant>) {
        let mut said = self.said();
        // Somebody may have spoken in the meantime.
        if *self.ends.borrow() != end {
            return;
        }
        let filter = &said.configured;
        let told = || tracing::info!(filter, "the log is filtered as configured again");
        // It was read before, and can be read again.
        let _ = self.swap(filter, told);
        said.by_hand = None;
        self.ends.send_replace(None);
    }

    /// Puts another filter in force. Who changed what is seen whatever it hides: it is told while the new one is open for
    /// that line.
    fn swap(&self, directives: &str, tell: impl FnOnce()) -> Result<(), TelemetryError> {
        let read = filter(directives)?;
        (self.apply)(filter(&format!("{directives},{}=info", module_path!()))?);
        tell();
        (self.apply)(read);
        Ok(())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock()
    }
}

#[cfg(test)]
pub(crate) mod paper {
    use parking_lot::Mutex;
    use std::io;
    use std::sync::Arc;

    /// Everything that was logged.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl io::Write for Paper {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::paper::Paper;
    use super::*;
    use std::sync::Arc;

    fn observed(is_fixed: bool) -> (Arc<LogFilter>, Arc<Mutex<Vec<String>>>) {
        let applied = Arc::<Mutex<Vec<String>>>::default();
        let seen = applied.clone();
        let apply = move |filter: EnvFilter| seen.lock().push(filter.to_string());
        (Arc::new(LogFilter::new("info", is_fixed, Box::new(apply))), applied)
    }

    fn for_minutes(minutes: u64) -> ForAWhile {
        ForAWhile {
            length: Duration::from_mins(minutes),
            until: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_filter_for_a_while_is_followed_by_the_configured_one() {
        let (log, applied) = observed(false);
        let (kept, stopping) = (log.clone(), CancellationToken::new());
        let stop = stopping.clone();
        let keeping = async move { kept.keep(stop).await };
        let test = async {
            log.set("k", "debug", Some(for_minutes(15))).unwrap();
            tokio::time::sleep(Duration::from_mins(14)).await;
            assert_eq!(log.shown().filter, "debug");
            // Said anew, it counts anew.
            log.set("k", "trace", Some(for_minutes(15))).unwrap();
            tokio::time::sleep(Duration::from_mins(14)).await;
            assert_eq!(log.shown().filter, "trace");
            tokio::time::sleep(Duration::from_mins(2)).await;
            assert_eq!(
                log.shown(),
                Logs {
                    filter: "info".to_owned(),
                    configured: "info".to_owned(),
                    until: None
                }
            );
            assert!(applied.lock().last().unwrap().ends_with("info"));
            log.set("k", "warn", None).unwrap();
            tokio::time::sleep(Duration::from_hours(99)).await;
            assert_eq!(log.shown().filter, "warn");
            stopping.cancel();
        };
        tokio::join!(keeping, test);
    }

    #[test]
    fn whoever_spoke_last_has_its_way_and_a_filter_that_cannot_be_read_changes_nothing() {
        let (log, applied) = observed(false);
        log.set("k", "debug", None).unwrap();
        assert!(log.set("k", "a=b=c", None).is_err());
        // Read anew, and the same as before.
        log.configure("info");
        assert_eq!(log.shown().filter, "debug");
        log.configure("warn");
        assert_eq!(log.shown().filter, "warn");
        let in_force = || applied.lock().last().cloned().unwrap();
        assert!(in_force().ends_with("warn"), "{}", in_force());
        let (fixed, _) = observed(true);
        fixed.configure("warn");
        assert_eq!(fixed.shown().configured, "info");
    }

    #[test]
    fn who_changed_the_filter_is_logged_even_where_the_new_one_and_the_old_one_hide_everything() {
        let paper = Paper::default();
        let writer = paper.clone();
        let lines = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false);
        let lines = lines.with_env_filter(filter("off").unwrap()).with_filter_reloading();
        let handle = lines.reload_handle();
        let log = LogFilter::new("off", false, Box::new(move |filter| handle.reload(filter).unwrap()));
        tracing::subscriber::with_default(lines.finish(), || {
            log.set("somebody", "off", Some(for_minutes(1))).unwrap();
            tracing::error!("hidden");
            let end = *log.ends.borrow();
            log.give_back(end);
            log.configure("upsert_app=error");
        });
        let said = paper.text();
        let told = [
            "by hand by=\"somebody\" filter=\"off\"",
            "as configured again",
            "by the configuration",
        ];
        assert_eq!(said.lines().count(), told.len(), "{said}");
        assert!(said.lines().zip(told).all(|(line, told)| line.contains(told)), "{said}");
    }
}
