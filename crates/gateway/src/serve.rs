//! `serve`: the gateway as configured, until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use upsert_server::{ReloadFrom, Running, StartError, StartOptions, TelemetryError, start};
use upsert_settings::{Environment, Problem, Secrets, Settings};

use crate::arguments::{CONFIG, LogArguments};
use crate::output::{complain, complain_of};
use crate::signals::{Received, Signals};

#[derive(Args)]
pub(crate) struct ServeArguments {
    /// The folder with gateway.toml and merchants/
    #[arg(long, value_name = "DIR", default_value = CONFIG)]
    config: PathBuf,
    #[command(flatten)]
    log: LogArguments,
}

pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    // Before anything is started, so that a signal during the start is not lost.
    let mut signals = Signals::listen()?;
    match start_from(&arguments.config, &arguments.log).await? {
        Some(running) => Ok(until_told(running, &mut signals).await),
        None => Ok(ExitCode::FAILURE),
    }
}

/// Starts the log, and the gateway on a folder; none where the folder's problems kept it from starting, which have been printed.
pub(crate) async fn start_from(folder: &Path, log: &LogArguments) -> anyhow::Result<Option<Running>> {
    log.check()?;
    let environment = Environment::of_process();
    upsert_core::crash_point::arm(environment.get(upsert_core::crash_point::VARIABLE));
    // Before the files are read for the first time, so that a change in between is seen.
    let reload = ReloadFrom::new(folder, environment.clone());
    let settings = match Settings::load(folder, &environment, Secrets::Resolve) {
        Ok(settings) => settings,
        Err(problems) => return Ok(refused(&problems)),
    };
    match log.start(&settings.telemetry) {
        Ok(()) => {}
        Err(error @ TelemetryError::Filter { .. }) => {
            return Ok(refused(&[settings.telemetry.log_problem(error.to_string())]));
        }
        Err(error) => return Err(error.into()),
    }
    let options = StartOptions {
        reload: Some(reload),
        ..StartOptions::default()
    };
    match start(settings, upsert_registry::registry(), options).await {
        Ok(running) => Ok(Some(running)),
        Err(StartError::Settings(problems)) => Ok(refused(&problems)),
        Err(error) => Err(error.into()),
    }
}

fn refused(problems: &[Problem]) -> Option<Running> {
    complain_of(problems);
    None
}

/// Waits for a signal, then stops: the exit code says whether everything ended as it should.
pub(crate) async fn until_told(running: Running, signals: &mut Signals) -> ExitCode {
    let (has_failed, drains) = tokio::select! {
        received = signals.next() => (false, received == Received::Terminate),
        () = running.store_failed() => {
            complain("upsert-gateway: the store failed; start the gateway again to find out what its disk holds");
            (true, false)
        }
    };
    let ending = async {
        if drains {
            running.drain().await;
        }
        running.stop().await;
    };
    match signals.unless_insisted(ending).await {
        Some(()) if has_failed => ExitCode::FAILURE,
        Some(()) => ExitCode::SUCCESS,
        None => {
            complain("upsert-gateway: ended before all was finished; what was accepted goes on with the next start");
            ExitCode::FAILURE
        }
    }
}
