//! Questions.

mod audit;
mod connections;
mod customers;
mod deliveries;
mod erasures;
mod events;
mod incidents;
mod incoming;
mod lists;
mod merchants;
mod outgoing;
mod sessions;
mod turns;
mod upserts;

pub(super) use customers::check;
