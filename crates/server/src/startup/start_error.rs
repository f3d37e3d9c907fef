//! Why a server does not start.

use std::io;

use upsert_settings::Problem;
use upsert_store::StoreError;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration asks for something that is not there.
    #[error("{}", lines(.0))]
    Settings(Vec<Problem>),
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(String),
    /// The store was opened, and then failed.
    #[error(transparent)]
    Recovery(#[from] StoreError),
    /// Traces cannot be sent.
    #[error("traces cannot be sent: {0}")]
    Traces(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Bind {
        /// As configured.
        address: String,
        /// Why. It is no source of the error: whoever prints those too would say it twice.
        why: io::Error,
    },
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
