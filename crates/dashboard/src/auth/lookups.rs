//! Looking up whose session a cookie is of. Anybody can make up a cookie, and each is a question to the store: those that
//! nobody has shown yet wait for one another, so that they keep nobody else from the store.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use upsert_app::{Gateway, SessionId, SessionRecord};

use crate::error::PageError;

/// Questions at a time about sessions that this process has not seen yet.
const AT_A_TIME: usize = 2;
/// Sessions that are remembered; beyond them it begins anew.
const MOST: usize = 4_096;

/// Those that were found lately are asked for at once.
#[derive(Debug)]
pub(crate) struct Lookups {
    turns: Semaphore,
    found: Mutex<HashSet<SessionId>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_A_TIME),
            found: Mutex::default(),
        }
    }
}

impl Lookups {
    /// The session, if it is not over. `is_looked_at`: whether a person did this.
    ///
    /// # Errors
    /// 503: the store does not answer.
    pub(crate) async fn find(
        &self,
        gateway: &Gateway,
        id: &SessionId,
        is_looked_at: bool,
    ) -> Result<Option<SessionRecord>, PageError> {
        let was_found = self.found.lock().contains(id);
        let _turn = if was_found {
            None
        } else {
            self.turns.acquire().await.ok()
        };
        let session = gateway.sessions.find(id, is_looked_at).await;
        let session = session.map_err(|_| PageError::store_is_away())?;
        self.note(id, was_found, session.is_some());
        Ok(session)
    }

    fn note(&self, id: &SessionId, was_found: bool, is_found: bool) {
        if was_found == is_found {
            return;
        }
        let mut found = self.found.lock();
        if !is_found {
            found.remove(id);
            return;
        }
        if found.len() >= MOST {
            found.clear();
        }
        found.insert(*id);
    }
}
