//! The dashboard at `/ops`: what operators and support see of the gateway, as pages that the program makes itself.
//!
//! It knows the use cases (`upsert-app`) and HTML; who may come in and which configuration is in force it is told by the
//! server, through [`Dashboard`]. What it shows are the types of the API (`upsert-api`), and it does nothing that the API
//! cannot do.
//!
//! A page is one file in `pages/` with one template; an action is a form that is posted, done, and answered with the way
//! back to a page. Nothing is loaded from elsewhere, and scripts are files of ours: see `headers.rs`.

mod assets;
mod auth;
mod error;
mod form;
mod headers;
mod links;
mod live;
mod mount;
mod pages;
mod person;
mod query;
mod raw;
mod render;
mod state;
mod words;

pub use pages::configure;
pub use state::{AuthError, Configuration, Dashboard, DashboardParts, KeyStore, Principal};
