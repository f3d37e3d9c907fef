//! `upsert-bench-vendor`: the vendor that everything is measured against. See [`upsert_benches::vendor`].

use std::net::SocketAddr;

use clap::Parser;
use upsert_benches::vendor::serve;

/// A vendor that answers at once, on one core
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    serve(&Arguments::parse().listen).await
}
