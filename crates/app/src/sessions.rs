//! Who has signed in at the dashboard. Sessions are in the store, so whichever process is asked knows them; what their keys
//! may do is asked of the configuration in force, not here.

use jiff::{SignedDuration, Timestamp};

use upsert_store::{Notice, SessionId, SessionRecord, SessionWrite, StoreError};

use crate::context::Context;

/// Nobody looked for so long: the session is over.
const IDLE: SignedDuration = SignedDuration::from_hours(2);
/// It is over in any case.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// A look is written when the last one that was is so old: pages that are opened one after the other write nothing.
const LOOK: SignedDuration = SignedDuration::from_mins(1);
/// Sessions of one key. The one that was looked at longest ago makes room.
const MOST_OF_KEY: usize = 20;
/// So far ahead the clock of another process may be.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);
/// Sessions that are forgotten at once.
const AT_ONCE: usize = 200;

/// Signs in and out.
#[derive(Debug, Clone)]
pub struct Sessions {
    context: Context,
}

impl Sessions {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
        }
    }

    /// Begins one for the key with this hash.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin(&self, id: SessionId, key_hash: [u8; 32]) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let session = SessionRecord {
            id,
            key_hash,
            begun_at: now,
            seen_at: now,
            notice: None,
        };
        self.write(SessionWrite::Begin(session, MOST_OF_KEY)).await
    }

    /// One that is not over. `is_looked_at`: whether a person did this, so that it is not idle.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, id: &SessionId, is_looked_at: bool) -> Result<Option<SessionRecord>, StoreError> {
        let now = self.context.clock.now();
        let found = self.context.store.session(id).await?;
        let Some(session) = found.filter(|session| is_open(session, now)) else {
            return Ok(None);
        };
        if is_looked_at && now.duration_since(session.seen_at) >= LOOK {
            self.write(SessionWrite::Seen(*id, now)).await?;
        }
        Ok(Some(session))
    }

    /// Ends it, wherever it is known.
    ///
    /// # Errors
    /// The store failed: it may go on.
    pub async fn end(&self, id: SessionId) -> Result<(), StoreError> {
        self.write(SessionWrite::End(id)).await
    }

    /// Has the next page tell this.
    ///
    /// # Errors
    /// The store failed.
    pub async fn tell(&self, id: SessionId, notice: Notice) -> Result<(), StoreError> {
        self.write(SessionWrite::Tell(id, notice)).await
    }

    /// A page has told this: no other one does.
    ///
    /// # Errors
    /// The store failed: another one may.
    pub async fn told(&self, id: SessionId, notice: Notice) -> Result<(), StoreError> {
        self.write(SessionWrite::Told(id, notice)).await
    }

    /// Forgets those that are over. One that ended at its longest is idle from then on.
    pub(crate) async fn forget_those_over(&self) -> Result<(), StoreError> {
        let before = self.context.clock.now().checked_sub(IDLE).unwrap_or(Timestamp::MIN);
        while self.context.store.forget_sessions(before, AT_ONCE).await? == AT_ONCE {}
        Ok(())
    }

    async fn write(&self, write: SessionWrite) -> Result<(), StoreError> {
        self.context.store.write_session(&write).await
    }
}

/// One that began, or was looked at, when nobody can have was stamped by a clock that was wrong: it would stay open for as long
/// as that was ahead.
fn is_open(session: &SessionRecord, now: Timestamp) -> bool {
    let is_within = |at: Timestamp, longest: SignedDuration| {
        let age = now.duration_since(at);
        -CLOCKS_APART <= age && age < longest
    };
    is_within(session.seen_at, IDLE) && is_within(session.begun_at, LONGEST)
}
