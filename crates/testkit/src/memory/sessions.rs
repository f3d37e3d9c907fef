//! Who has signed in at the dashboard.

use async_trait::async_trait;
use jiff::Timestamp;

use upsert_store::{SealedStore, SessionId, SessionRecord, SessionStore, SessionWrite, StoreError};

use super::MemoryStore;
use super::tables::AllTables;

impl AllTables {
    fn begin(&mut self, session: &SessionRecord, most: usize) {
        self.1.entry(session.id).or_insert_with(|| session.clone());
        let of_key = self.1.values().filter(|other| other.key_hash == session.key_hash);
        let mut all: Vec<_> = of_key.map(|one| (one.seen_at, one.id)).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        for (_, id) in all.into_iter().skip(most) {
            self.1.remove(&id);
        }
    }
}

/// It is gone with the process.
impl SealedStore for MemoryStore {}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.tables()?.1.get(id).cloned())
    }

    async fn write_session(&self, write: &SessionWrite) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        match write {
            SessionWrite::Begin(session, most) => tables.begin(session, *most),
            SessionWrite::Seen(id, at) => {
                if let Some(session) = tables.1.get_mut(id) {
                    session.seen_at = session.seen_at.max(*at);
                }
            }
            SessionWrite::Tell(id, notice) => {
                if let Some(session) = tables.1.get_mut(id) {
                    session.notice = Some(notice.clone());
                }
            }
            SessionWrite::Told(id, notice) => {
                if let Some(session) = tables.1.get_mut(id) {
                    session.notice.take_if(|known| known == notice);
                }
            }
            SessionWrite::End(id) => drop(tables.1.remove(id)),
            SessionWrite::TellNothing => tables.1.values_mut().for_each(|session| session.notice = None),
        }
        Ok(())
    }

    async fn forget_sessions(&self, seen_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut tables = self.tables()?;
        let is_over = |session: &&SessionRecord| session.seen_at < seen_before;
        let over = tables.1.values().filter(is_over).map(|one| (one.seen_at, one.id));
        let mut over: Vec<_> = over.collect();
        over.sort_unstable();
        over.truncate(limit);
        for (_, id) in &over {
            tables.1.remove(id);
        }
        Ok(over.len())
    }
}
