//! Encryption at rest: what a store tells of it, and what has to be done to it by and by.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use upsert_sealing::Keyring;

use crate::StoreError;

/// How much of what is kept is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Nothing: no key was ever configured.
    Off,
    /// What was written since a key was. What is older is still to be sealed.
    Partly,
    /// Every row. Where rows are kept there may be remains of what was in the clear.
    Rows,
    /// Everything.
    On,
}

/// How far a walk through what is kept has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// Rows or keys that were changed.
    pub changed: usize,
    /// Where it goes on, opaque; none: it has ended.
    pub next: Option<Vec<u8>>,
}

/// What a store that seals is asked to do. One that never does answers as it stands here.
#[async_trait]
pub trait SealedStore: Debug + Send + Sync + 'static {
    /// How much is sealed.
    fn encryption(&self) -> Encryption {
        Encryption::Off
    }

    /// Other keys are configured: the first wraps from now on, all unwrap. A store that was opened without any stays as it is
    /// until it is opened anew.
    fn configure_keys(&self, _keys: Arc<Keyring>) {}

    /// The ids of the configured keys that wrap any of the store's own keys, sorted.
    async fn wrapping_keys(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Whether what is kept can be opened with the keys that are configured.
    async fn can_open(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Wraps data keys with the first configured key that another one has wrapped, so many at the most. How many.
    async fn wrap_anew(&self, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// Makes new data keys for merchants that have one, for so many of them. What was sealed before opens as ever.
    async fn renew_data_keys(&self, _from: Option<Vec<u8>>, _limit: usize) -> Result<Walked, StoreError> {
        Ok(Walked::default())
    }

    /// Looks at so many rows, and seals those that are in the clear.
    async fn seal_older(&self, _from: Option<Vec<u8>>, _limit: usize) -> Result<Walked, StoreError> {
        Ok(Walked::default())
    }

    /// A walk found nothing any more that is in the clear: whatever is from now on was put there by somebody else.
    async fn seal_rows(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The same, and there are no remains either.
    async fn seal_wholly(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
