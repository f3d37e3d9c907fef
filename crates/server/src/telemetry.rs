//! Logs: one line an event, as JSON or for people, filtered; and panics that are logged without what they say.

use std::io::IsTerminal as _;
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines are written, to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people; coloured on a terminal.
    Readable,
}

/// What would let a client or a start fill the log: heads that are no HTTP, at level ERROR, and every worker. A filter
/// that names these targets has its way.
const QUIET: &str = "actix_http::h1::dispatcher=off,actix_server=warn";

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// How.
    pub format: LogFormat,
    /// What: directives such as `info,upsert_app=debug`.
    pub filter: String,
}

/// The logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives cannot be read.
    #[error("`{0}` is not a filter of log lines, such as `info,upsert_app=debug`")]
    Filter(String),
    /// Somebody has set up logs before.
    #[error("logs are set up already")]
    Twice,
}

fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    // On its own first: behind ours, an empty one would be none.
    EnvFilter::try_new(directives)
        .and_then(|_| EnvFilter::try_new(format!("{QUIET},{directives}")))
        .map_err(|_| TelemetryError::Filter(directives.to_owned()))
}

/// Sets up logs and the panic hook, for the whole process.
///
/// # Errors
/// The filter cannot be read, or it was done before.
pub fn install_telemetry(telemetry: &Telemetry) -> Result<(), TelemetryError> {
    let filter = filter(&telemetry.filter)?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match telemetry.format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .finish()
            .try_init(),
        LogFormat::Readable => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
    };
    installed.map_err(|_| TelemetryError::Twice)?;
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
        assert!(filter("a=b=c").is_err());
    }
}
