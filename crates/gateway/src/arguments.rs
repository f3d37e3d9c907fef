//! What several commands are told in the same words.

use std::fmt::Display;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use upsert_core::Word;
use upsert_server::{Telemetry, TelemetryError, check_log_filter, install_telemetry};
use upsert_settings::LogForm;

/// Where the configuration is, unless `--config` says otherwise.
pub(crate) const CONFIG: &str = "config";

/// How the gateway logs.
#[derive(Args)]
pub(crate) struct LogArguments {
    /// The form of the log, which goes to standard error: `json`, an object a line, or `text`, lines for people
    /// [default: as the configuration says, which is text]
    #[arg(long, value_name = "FORM", value_parser = log_forms(), env = "UPSERT_GATEWAY_LOG")]
    log: Option<LogForm>,
    /// What is logged: error, warn, info, debug, trace; or directives such as `info,upsert_server=debug`
    /// [default: as the configuration says, which is info]
    #[arg(long, value_name = "LEVEL", env = "UPSERT_GATEWAY_LOG_LEVEL")]
    log_level: Option<String>,
}

fn log_forms() -> impl TypedValueParser<Value = LogForm> {
    PossibleValuesParser::new(LogForm::ALL.iter().map(|form| form.as_str())).try_map(|form| form.parse::<LogForm>())
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
        install_telemetry(&Telemetry {
            format: self.log.unwrap_or(configured.log_format),
            filter: self.log_level.as_ref().unwrap_or(&configured.log).clone(),
            is_fixed: self.log_level.is_some(),
        })
    }
}

/// One of a closed set of words.
pub(crate) fn word<T: Word>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| {
        let known: Vec<&str> = T::all().map(Word::as_str).collect();
        format!("is not known here; known are: {}", known.join(", "))
    })
}

/// Wrong usage: exit code 2.
pub(crate) fn wrong(kind: ErrorKind, text: impl Display) -> anyhow::Error {
    clap::Error::raw(kind, format!("{text}\n")).into()
}

/// A level that cannot be read is wrong usage.
fn wrong_level(error: TelemetryError) -> anyhow::Error {
    match error {
        TelemetryError::Filter { .. } => wrong(ErrorKind::ValueValidation, format!("--log-level: {error}")),
        TelemetryError::Twice => error.into(),
    }
}
