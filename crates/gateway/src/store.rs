//! `store`: what is done with a store itself, without a gateway.

mod copy;
mod progress;

use std::process::ExitCode;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Copy a whole store into an empty one: from a SQLite file to a PostgreSQL database, or back
    ///
    /// Stop every gateway on either store first. It can be interrupted at any time and run again: it goes on where it was.
    /// In the end both stores are compared; no gateway starts on the new one before. The old one stays as it is.
    Copy(copy::CopyArguments),
}

pub(crate) async fn run(arguments: StoreArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::Copy(arguments) => copy::run(arguments).await,
    }
}
