//! `audit`: who did what when at a running gateway, and whether anything of that was changed.

mod list;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::api;

#[derive(Args)]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List what operators did, newest first
    List(list::ListArguments),
    /// Walk through the whole audit trail and say the first entry that does not fit; exit code 1 if there is one
    Verify(verify::VerifyArguments),
}

pub(crate) async fn run(arguments: AuditArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List(arguments) => api::told(list::run(&arguments).await, arguments.json),
        Action::Verify(arguments) => api::told(verify::run(&arguments).await, arguments.json),
    }
}
