//! Logs: one line an event, as JSON or for people, filtered; and panics that are logged without what they say.

use std::io::IsTerminal as _;
use std::panic;

use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use upsert_settings::LogForm;

use crate::telemetry::log_directives::{TelemetryError, filter};
use crate::telemetry::log_filter::{self, LogFilter};

/// What is logged, and how: to standard error, coloured on a terminal.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// How.
    pub format: LogForm,
    /// What: directives such as `info,upsert_app=debug`.
    pub filter: String,
    /// Whether the configuration has no say in what, since somebody asked for it when the process was started.
    pub is_fixed: bool,
}

/// Whether these directives can be read.
///
/// # Errors
/// They cannot.
pub fn check_log_filter(directives: &str) -> Result<(), TelemetryError> {
    filter(directives).map(drop)
}

/// Sets up logs and the panic hook, for the whole process.
///
/// # Errors
/// The filter cannot be read, or it was done before.
pub fn install_telemetry(telemetry: &Telemetry) -> Result<(), TelemetryError> {
    let filter = filter(&telemetry.filter)?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // What replaces the filter later: it fails only where the log is gone.
    let (installed, apply): (_, Box<dyn Fn(EnvFilter) + Send + Sync>) = match telemetry.format {
        LogForm::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false);
            let lines = lines.with_filter_reloading();
            let handle = lines.reload_handle();
            let apply = move |filter| drop(handle.reload(filter));
            (lines.finish().try_init(), Box::new(apply))
        }
        LogForm::Text => {
            let lines = lines.with_ansi(std::io::stderr().is_terminal()).with_filter_reloading();
            let handle = lines.reload_handle();
            let apply = move |filter| drop(handle.reload(filter));
            (lines.finish().try_init(), Box::new(apply))
        }
    };
    installed.map_err(|_| TelemetryError::Twice)?;
    log_filter::belongs_to_process(LogFilter::new(&telemetry.filter, telemetry.is_fixed, apply))?;
    panic::set_hook(Box::new(|panic| {
        // What a panic says may repeat a value; where it was does not.
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "a panic: this is a bug");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_could_fill_the_log_with_is_quiet_unless_it_is_named() {
        let has = |directives: &str, wanted: &str| filter(directives).unwrap().to_string().contains(wanted);
        assert!(has("trace", "actix_http::h1::dispatcher=off") && has("trace", "trace"));
        assert!(has("info,actix_server=debug", "actix_server=debug"));
        assert!(!has("info,actix_server=debug", "actix_server=warn"));
        assert_eq!(
            filter("inof").unwrap_err().to_string(),
            "`inof` is not a filter of log lines, such as `info,upsert_app=debug`: `inof` is no level: off, error, warn, \
             info, debug, trace"
        );
    }
}
