//! The command line: which commands there are. Each is done in its own file.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::output::complain;
use crate::{
    audit, check, connections, customers, deliveries, demo, endpoints, events, export, health, import, init, keys,
    merchants, serve, shell, status, store, upsert, webhook,
};

const AFTER: &str = "Exit codes: 0 done, 1 the thing itself failed, 2 wrong usage.";

/// One request creates or updates a customer at every vendor that a merchant uses
///
/// Start with `upsert-gateway demo`.
#[derive(Parser)]
#[command(name = "upsert-gateway", version, propagate_version = true, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, as the configuration says
    ///
    /// Ends on SIGTERM and SIGINT: it takes no more, finishes what it has, and exits with 0; a second signal ends it at
    /// once. SIGHUP, or a changed file, makes it read its configuration anew.
    Serve(serve::ServeArguments),
    /// Check the configuration: every problem with its file and line
    ///
    /// Reads all files, resolves every reference to a secret, and builds every connection without calling anybody.
    Check(check::CheckArguments),
    /// Write a configuration to start from: keys, one merchant, its vendors
    Init(init::InitArguments),
    /// Start the gateway and three simulated vendors, ready to be called
    ///
    /// Everything is in one process and one fresh folder, and both are gone afterwards.
    Demo(demo::DemoArguments),
    /// API keys, and the keys that seal what is stored
    Keys(keys::KeysArguments),
    /// Create or update one customer at a running gateway
    Upsert(upsert::UpsertArguments),
    /// Create or update the customers of a file, at a running gateway
    ///
    /// NDJSON (one body of POST /v1/customers a line) or CSV. It can be interrupted at any time and run again: no row is
    /// done twice.
    Import(import::ImportArguments),
    /// Write all customers of a merchant to a file that `import` reads
    Export(export::ExportArguments),
    /// Events that come in
    Webhook(webhook::WebhookArguments),
    /// How a running gateway is, and what needs attention first
    Status(status::StatusArguments),
    /// Deliveries at a running gateway: list, show, replay, discard
    Deliveries(deliveries::DeliveriesArguments),
    /// Connections of a running gateway: list, pause, resume, try
    Connections(connections::ConnectionsArguments),
    /// Who is told of events by a running gateway: list, enable, test
    Endpoints(endpoints::EndpointsArguments),
    /// Events of a running gateway, in and out: list, show, replay, discard
    Events(events::EventsArguments),
    /// Customers at a running gateway
    Customers(customers::CustomersArguments),
    /// Merchants in the store of a running gateway: list, show, put, delete
    ///
    /// Those in files are in the files. The key has the scope `admin`, for every merchant.
    Merchants(merchants::MerchantsArguments),
    /// Who did what when at a running gateway: list, verify
    Audit(audit::AuditArguments),
    /// Stores themselves
    Store(store::StoreArguments),
    /// Print what completes this command line in a shell
    Completions(shell::CompletionsArguments),
    /// Print the manual page
    Man(shell::ManArguments),
    /// Ask a URL whether it is well; for the health checks of containers
    #[command(hide = true)]
    Health(health::HealthArguments),
}

impl Cli {
    /// Does what was asked.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Check(arguments) => check::run(&arguments),
            Command::Init(arguments) => init::run(arguments),
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Keys(arguments) => keys::run(arguments).await,
            Command::Upsert(arguments) => upsert::run(arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
            Command::Export(arguments) => export::run(arguments).await,
            Command::Webhook(arguments) => webhook::run(arguments),
            Command::Status(arguments) => status::run(arguments).await,
            Command::Deliveries(arguments) => deliveries::run(arguments).await,
            Command::Connections(arguments) => connections::run(arguments).await,
            Command::Endpoints(arguments) => endpoints::run(arguments).await,
            Command::Events(arguments) => events::run(arguments).await,
            Command::Customers(arguments) => customers::run(arguments).await,
            Command::Merchants(arguments) => merchants::run(arguments).await,
            Command::Audit(arguments) => audit::run(arguments).await,
            Command::Store(arguments) => store::run(arguments).await,
            Command::Completions(arguments) => shell::complete(&arguments, Self::command()),
            Command::Man(arguments) => shell::man(&arguments, Self::command()),
            Command::Health(arguments) => health::run(arguments).await,
        }
    }
}

/// Says what went wrong, and gives the exit code for it.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<clap::Error>() {
        Some(usage) => {
            // Where standard error is gone there is nobody left to tell.
            let _ = usage.print();
            ExitCode::from(2)
        }
        None => {
            complain(&format!("upsert-gateway: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
