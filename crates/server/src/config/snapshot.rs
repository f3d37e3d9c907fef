//! What requests are served by: one unchanging snapshot, replaced as a whole when the configuration is read anew.

use std::sync::Arc;

use upsert_app::Directory;
use upsert_settings::{BasePath, CorsOrigins};

use crate::config::key_store::Keys;

/// Keys and merchants of one configuration.
#[derive(Debug)]
pub(crate) struct ConfigSnapshot {
    /// Who may call.
    pub(crate) keys: Keys,
    /// For whom.
    pub(crate) directory: Arc<Directory>,
    /// The longest request body, in bytes.
    pub(crate) body_limit: usize,
    /// What stands in front of every path.
    pub(crate) base_path: BasePath,
    /// Whose pages may call from a browser.
    pub(crate) cors_origins: CorsOrigins,
    /// Grows by one with each configuration that is taken over, from 1.
    pub(crate) generation: u64,
    /// Whether the last reading of the files was refused, so that this is an older configuration.
    pub(crate) is_stale: bool,
}
