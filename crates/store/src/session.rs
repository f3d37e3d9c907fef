//! Who has signed in at the dashboard. A session is no merchant's, so it is written beside changesets.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A session's name: a hash of what the browser holds, from which that cannot be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 32]);

impl Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// One thing that a page tells once: what became of an action.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whether it went wrong.
    pub is_problem: bool,
    /// A sentence for whoever has the session; it may hold what a vendor said of a person.
    pub text: String,
}

/// Leaves out what it says.
impl Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice")
            .field("is_problem", &self.is_problem)
            .finish_non_exhaustive()
    }
}

/// Somebody who has signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Which session.
    pub id: SessionId,
    /// SHA-256 of the API key that was signed in with.
    pub key_hash: [u8; 32],
    /// When that was.
    pub begun_at: Timestamp,
    /// When a person last looked, as far as it was written.
    pub seen_at: Timestamp,
    /// What the next page is to tell.
    pub notice: Option<Notice>,
}

/// Leaves out whose it is.
impl Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("begun_at", &self.begun_at)
            .field("seen_at", &self.seen_at)
            .field("notice", &self.notice)
            .finish_non_exhaustive()
    }
}

/// What becomes of a session. One that has ended stays so, whatever is written of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionWrite {
    /// It begins. Of its key's sessions so many are left: those that were looked at last.
    Begin(SessionRecord, usize),
    /// A person looked at this moment. One that is later is kept.
    Seen(SessionId, Timestamp),
    /// The next page is to tell this, in the place of what it was to tell before.
    Tell(SessionId, Notice),
    /// A page has told this. What is to be told by now instead is kept.
    Told(SessionId, Notice),
    /// It ends.
    End(SessionId),
    /// No page of any session is to tell anything any more: it may be about somebody who was erased.
    TellNothing,
}

/// What is kept of sessions.
#[async_trait]
pub trait SessionStore: Debug + Send + Sync + 'static {
    /// A session that has begun and was not ended. Whether it is over by its time is judged by whoever asks.
    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError>;

    /// Writes this, durably.
    async fn write_session(&self, write: &SessionWrite) -> Result<(), StoreError>;

    /// Forgets sessions that were last looked at before this moment, at most `limit`. How many.
    async fn forget_sessions(&self, seen_before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}
