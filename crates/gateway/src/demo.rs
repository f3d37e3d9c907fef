//! `demo`: the gateway and three simulated vendors in one process, on a folder of their own.

mod folder;
mod guide;
mod vendors;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use upsert_settings::generate_key;

use crate::arguments::LogArguments;
use crate::output;
use crate::serve;
use crate::signals::Signals;
use folder::Folder;
use guide::Guide;
use vendors::Vendors;

const PORT: u16 = 8080;

/// The guide itself says what the start would warn of.
const LOG_LEVEL: &str = "warn,upsert_server::startup=error";

const LOG_LEVEL_HELP: &str = "What is logged: error, warn, info, debug, trace; or directives such as `info,upsert_server=debug` \
                              [default: warn]";

#[derive(Args)]
#[command(mut_arg("log_level", |arg| arg.help(LOG_LEVEL_HELP)))]
pub(crate) struct DemoArguments {
    /// Where the gateway listens on 127.0.0.1; 0 for a free port [default: 8080, or a free one where that is taken]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The folder for configuration, secrets and data, new or empty [default: a new temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the folder where it is at the end
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    log: LogArguments,
}

pub(crate) async fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let log = arguments.log.or_level(LOG_LEVEL);
    log.check()?;
    let vendors = Vendors::start()?;
    let key = generate_key()?;
    let folder = Folder::create(arguments.dir, arguments.keep)?;
    folder.write(bind(arguments.port), &key, &vendors)?;
    let Some(running) = serve::start_from(folder.path(), &log).await? else {
        return Ok(ExitCode::FAILURE);
    };
    let guide = Guide {
        gateway: running.addr,
        key: &key.key,
        vendors: &vendors,
        folder: &folder,
    };
    output::answer(&guide.to_string())?;
    let code = serve::until_told(running, &mut signals).await;
    vendors.stop().await;
    Ok(code)
}

/// The port that was asked for; otherwise the usual one, or where that is taken, any free one.
fn bind(port: Option<u16>) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match port {
        Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        None if TcpListener::bind(usual).is_ok() => usual,
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}
