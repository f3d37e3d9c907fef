//! The server as a client sees it: started through `start`, over real HTTP, with a made-up vendor that speaks none.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: a panic is how they fail, and their tasks end with them"
)]

mod answers;
mod audit;
mod audit_chain;
mod below;
mod codings;
mod cors;
mod covered;
mod drain;
mod encryption;
mod explained;
mod generators;
mod headers;
mod incidents;
mod ledger;
mod logs;
mod matrix;
mod merchants;
mod methods;
mod openapi;
mod problems;
mod process;
mod reload;
mod revoked;
mod root;
mod served;
mod settled;
mod shape;
mod signed_in;
mod slow;
mod starting;
mod strangers;
mod told;
mod webhooks;
