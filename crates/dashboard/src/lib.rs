//! The dashboard at `/ops`: what operators and support see of the gateway, as pages that the program makes itself.
//!
//! It knows the use cases (`upsert-app`) and HTML; who may come in and which configuration is in force it is told by the
//! server, through [`Desk`]. It reads what the use cases answer as any client of the API would (`shapes.rs`), and does
//! nothing that the API cannot do.
//!
//! A page is one file in `pages/` with one template; an action is a form that is posted, done, and answered with the way
//! back to a page. Nothing is loaded from elsewhere, and scripts are files of ours: see `headers.rs`.

mod assets;
mod cross_origin;
mod desk;
mod door;
mod form;
mod headers;
mod history;
mod pages;
mod pulse;
mod query;
mod raw;
mod refused;
mod render;
mod sessions;
mod shapes;
mod visit;

pub use desk::{Closed, Configuration, Desk, DeskParts, Doors, Visitor};
pub use pages::configure;
