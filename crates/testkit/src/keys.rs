//! Keys for tests.

use std::sync::Arc;

use upsert_sealing::{Keyring, SealingKey};

/// One key, always the same.
///
/// # Panics
///
/// Where keys are not read so any more.
pub fn ring() -> Arc<Keyring> {
    let text = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned();
    Arc::new(Keyring::new(vec![SealingKey::read("test", &text.into()).unwrap()]))
}
