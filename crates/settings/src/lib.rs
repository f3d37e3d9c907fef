//! The configuration: read from a folder, checked as a whole, handed out as typed, immutable settings.
//!
//! What it does: reads `gateway.toml` (under the environment's overrides) and each `merchants/*.toml`, resolves the
//! references to secrets, and reports *every* problem at once with file, line, column and the nearest known name.
//!
//! What it does not: it knows no vendor. The names of a connection's credentials and the members of its `settings` are
//! the provider's to judge; [`Connection::locate`] gives whoever judges them the line to point at.
//!
//! A new setting is one [`Member`] in its section's list, one line in its `read`, and one line in `config/` (a test
//! insists on the last).

mod addresses;
mod api_keys;
mod api_merchant;
mod api_rules;
mod base_path;
mod conditions;
mod connection;
mod displayed;
mod displayed_text;
mod endpoint;
mod environment;
mod hmac;
mod import_map;
mod incoming;
mod json;
mod json_tree;
mod keys;
mod known_members;
mod layers;
mod limits;
mod load;
mod mapping;
mod members;
mod merchant;
mod nearest;
mod opentelemetry;
mod origins;
mod ping;
mod places;
mod problems;
mod proxies;
mod retention;
mod routes;
mod rule;
mod secrets;
mod section;
mod server;
mod settings;
mod signed;
mod store;
mod telemetry;
mod tree;
mod urls;
mod values;
mod verification;
mod webhooks;

pub use addresses::is_public;
pub use api_keys::{ApiKey, KeyRateLimit, Reach, Scope};
pub use api_merchant::ApiMerchant;
pub use api_rules::ApiRules;
pub use base_path::BasePath;
pub use connection::Connection;
pub use displayed::{Change, Line, changes, line_changes, place};
pub use environment::Environment;
pub use environment::Secrets;
pub use hmac::Hmac;
pub use import_map::ImportMap;
pub use incoming::WebhookIn;
pub use json_tree::pointer;
pub use keys::{
    KEY_PREFIX, NewKey, NoRandomness, generate_encryption_key, generate_key, key_from_random, key_hash, looks_mistyped,
};
pub use known_members::{Document, KnownMember, known_members};
pub use limits::{Breaker, RateLimit, Retry};
pub use members::Member;
pub use merchant::{Merchant, NeverMatch};
pub use nearest::nearest;
pub use origins::CorsOrigins;
pub use problems::{Location, Problem};
pub use proxies::TrustedProxies;
pub use retention::Retention;
pub use routes::Route;
pub use secrets::{Reference, Secret};
pub use section::Named;
pub use server::Server;
pub use settings::Settings;
pub use store::{EncryptionKey, Store, StoreUrl};
pub use telemetry::{LogForm, Telemetry};
pub use urls::{UrlRules, check_url};
pub use values::{is_name, parse_duration};
pub use verification::{Scheme, Verify};
pub use webhooks::WebhookOut;
