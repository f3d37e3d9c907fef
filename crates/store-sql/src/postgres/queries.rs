//! Questions.

mod connections;
mod customers;
mod deliveries;
mod events;
mod incoming;
mod lists;
mod outgoing;
mod turns;
mod upserts;

pub(super) use customers::check;
