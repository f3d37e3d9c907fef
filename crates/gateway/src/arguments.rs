//! What several commands are told in the same words.

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use upsert_server::{LogFormat, Telemetry, TelemetryError, check_log_filter, install_telemetry};
use upsert_settings::LogForm;

/// Where the configuration is, unless `--config` says otherwise.
pub(crate) const CONFIG: &str = "config";

/// How the gateway logs.
#[derive(Args)]
pub(crate) struct LogArguments {
    /// The form of the log, which goes to standard error [default: as the configuration says, which is text]
    #[arg(long, value_name = "FORM", value_enum, env = "UPSERT_GATEWAY_LOG")]
    log: Option<Log>,
    /// What is logged: error, warn, info, debug, trace; or directives such as `info,upsert_server=debug`
    /// [default: as the configuration says, which is info]
    #[arg(long, value_name = "LEVEL", env = "UPSERT_GATEWAY_LOG_LEVEL")]
    log_level: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Log {
    /// One JSON object a line, for programs
    Json,
    /// Lines for people
    Text,
}

impl LogArguments {
    /// Unless it is said otherwise, so much.
    pub(crate) fn or_level(mut self, usual: &str) -> Self {
        self.log_level.get_or_insert_with(|| usual.to_owned());
        self
    }

    /// Whether the level can be read at all.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match &self.log_level {
            Some(level) => check_log_filter(level).map_err(wrong_level),
            None => Ok(()),
        }
    }

    /// Starts the log: as it was asked for here, otherwise as the configuration says.
    pub(crate) fn start(&self, configured: &upsert_settings::Telemetry) -> Result<(), TelemetryError> {
        let is_json = match self.log {
            Some(Log::Json) => true,
            Some(Log::Text) => false,
            None => configured.log_format == LogForm::Json,
        };
        install_telemetry(&Telemetry {
            format: if is_json { LogFormat::Json } else { LogFormat::Readable },
            filter: self.log_level.as_ref().unwrap_or(&configured.log).clone(),
            is_fixed: self.log_level.is_some(),
        })
    }
}

/// A level that cannot be read is wrong usage.
fn wrong_level(error: TelemetryError) -> anyhow::Error {
    match error {
        TelemetryError::Filter { .. } => {
            clap::Error::raw(ErrorKind::ValueValidation, format!("--log-level: {error}\n")).into()
        }
        TelemetryError::Twice => error.into(),
    }
}
