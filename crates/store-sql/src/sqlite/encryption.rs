//! What is sealed in the file.

use std::sync::Arc;

use async_trait::async_trait;
use upsert_sealing::Keyring;
use upsert_store::{Encryption, SealedStore, StoreError, Walked};

use super::SqliteStore;
use super::adopt::{secret, wrapped_by};
use super::readers::Reader;
use super::seal_work::SealWork;
use super::work::{Done, Work};
use crate::sealed::secret::Mode;

impl SqliteStore {
    async fn seal(&self, work: SealWork) -> Result<Walked, StoreError> {
        match self.writer.order(Work::Seal(work)).await? {
            Done::Sealed(walked) => Ok(walked),
            _ => Err(StoreError::Failed("the writer answered another question".into())),
        }
    }
}

#[async_trait]
impl SealedStore for SqliteStore {
    fn encryption(&self) -> Encryption {
        self.seals.encryption()
    }

    fn configure_keys(&self, keys: Arc<Keyring>) {
        self.seals.configure(keys);
    }

    async fn wrapping_keys(&self) -> Result<Vec<String>, StoreError> {
        let keys = |reader: &mut Reader| {
            let mut keys = wrapped_by(&reader.db)?;
            keys.extend(secret(&reader.db)?.wrapped_by().map(str::to_owned));
            keys.sort_unstable();
            keys.dedup();
            Ok(keys)
        };
        self.readers.ask(keys).await
    }

    async fn can_open(&self) -> Result<bool, StoreError> {
        let opens = |reader: &mut Reader| Ok(secret(&reader.db)?.open(&reader.seals.keyring()).is_ok());
        self.readers.ask(opens).await
    }

    async fn wrap_anew(&self, limit: usize) -> Result<usize, StoreError> {
        Ok(self.seal(SealWork::WrapAnew(limit)).await?.changed)
    }

    async fn renew_data_keys(&self, from: Option<Vec<u8>>, limit: usize) -> Result<Walked, StoreError> {
        self.seal(SealWork::Renew(from, limit)).await
    }

    async fn seal_older(&self, from: Option<Vec<u8>>, limit: usize) -> Result<Walked, StoreError> {
        self.seal(SealWork::Older(from, limit)).await
    }

    async fn seal_rows(&self) -> Result<(), StoreError> {
        self.seal(SealWork::Reached(Mode::Rows)).await.map(drop)
    }

    async fn seal_wholly(&self) -> Result<(), StoreError> {
        self.seal(SealWork::Reached(Mode::Wholly)).await.map(drop)
    }
}
