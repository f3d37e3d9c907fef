//! `health`: for containers without a shell or curl. Exit code 0 if the URL answers 2xx.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use reqwest::Url;

use crate::http_client;
use crate::output::complain;

#[derive(Args)]
pub(crate) struct HealthArguments {
    /// What to ask
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/readyz")]
    url: Url,
}

pub(crate) async fn run(arguments: HealthArguments) -> anyhow::Result<ExitCode> {
    let url = arguments.url;
    let request = http_client::for_health()?.get(url.clone());
    let status = request
        .send()
        .await
        .with_context(|| format!("{url} does not answer"))?
        .status();
    if status.is_success() {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("{url} answers {status}"));
    Ok(ExitCode::FAILURE)
}
