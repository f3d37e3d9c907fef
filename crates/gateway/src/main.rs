//! `upsert-gateway`: the gateway, and what one says to it from a terminal. See `cli` for the commands.

mod api;
mod arguments;
mod audit;
mod check;
mod cli;
mod confirm;
mod connections;
mod customers;
mod deed;
mod deliveries;
mod demo;
mod each;
mod endpoints;
mod events;
mod export;
mod health;
mod http_client;
mod import;
mod init;
mod input;
mod keys;
mod merchants;
mod moment;
mod output;
mod paging;
mod place;
mod pointer;
mod private;
#[cfg(test)]
mod samples;
mod serve;
mod shell;
mod show;
mod signals;
mod status;
mod store;
mod upsert;
mod webhook;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;

/// An upsert makes hundreds of small allocations, some of which another thread frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before any TLS: with a provider named, no second one that a dependency brings can make the choice ambiguous.
    // It fails only where one was installed already, and nothing before this line could have.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match actix_web::rt::System::new().block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => cli::failure(&error),
    }
}
