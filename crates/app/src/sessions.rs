//! Who has signed in at the dashboard. Sessions are in the store, so whichever process is asked knows them; what their keys
//! may do is asked of the configuration in force, not here.

use jiff::{SignedDuration, Timestamp};

use upsert_api::AuditAction;
use upsert_store::{Notice, SessionId, SessionRecord, SessionWrite, StoreError};

use crate::audit::act::Act;
use crate::context::Context;

/// Nobody looked for so long: the session is over.
const IDLE: SignedDuration = SignedDuration::from_hours(2);
/// It is over in any case.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// A look is written when the last one that was is so old: pages that are opened one after the other write nothing.
const LOOK: SignedDuration = SignedDuration::from_mins(1);
/// Sessions of one key. The one that was looked at longest ago makes room.
const MOST_OF_KEY: usize = 20;
/// So far ahead the clock of another process may be: replicas whose clocks are ten minutes apart are planned with.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);
/// What they are about in the audit trail.
const DASHBOARD: &str = "dashboard";
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

    /// Begins one for the key with this hash and name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin(&self, id: SessionId, key_hash: [u8; 32], by: &str) -> Result<(), StoreError> {
        let act = Act::new(by, AuditAction::SessionSignIn, DASHBOARD);
        self.context.audit.record(&[act]).await?;
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

    /// Ends it, wherever it is known, since the key of this name signs out.
    ///
    /// # Errors
    /// The store failed: it may go on.
    pub async fn sign_out(&self, id: SessionId, by: &str) -> Result<(), StoreError> {
        let act = Act::new(by, AuditAction::SessionSignOut, DASHBOARD);
        self.context.audit.record(&[act]).await?;
        self.end(id).await
    }

    /// A key did not open the dashboard. That is no act, so it is refused whether it can be written down or not.
    pub async fn refused(&self) {
        let act = self.context.failed_sign_ins.one_more(self.context.clock.now());
        self.write_down_refused(act).await;
    }

    /// Writes down those that were refused, if it is time for it.
    pub(crate) async fn tell_of_refused(&self) {
        let act = self.context.failed_sign_ins.left(self.context.clock.now());
        self.write_down_refused(act).await;
    }

    /// Writes down those that were refused before the process ends.
    pub(crate) async fn tell_of_all_refused(&self) {
        self.write_down_refused(self.context.failed_sign_ins.all_left()).await;
    }

    async fn write_down_refused(&self, act: Option<Act>) {
        let Some(act) = act else { return };
        if let Err(error) = self.context.audit.record(std::slice::from_ref(&act)).await {
            tracing::error!(%error, "keys that were refused at the dashboard could not be written down");
            self.context.failed_sign_ins.give_back(&act);
        }
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
