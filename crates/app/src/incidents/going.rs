//! An incident that has not ended: what happened since, and whether it is over.

use jiff::SignedDuration;

use upsert_core::IncidentId;
use upsert_store::{ConnectionRecord, Expect, IncidentEntry, IncidentEventKind, IncidentRecord, StoreError};

use crate::incidents::Incidents;
use crate::incidents::sight::{Seen, Sight};
use crate::incidents::touched::touched;
use crate::runtime::connections::key;
use crate::runtime::troubles::Trouble;

/// Failures that go on are written down this often.
const WRITTEN_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// What nobody has configured for so long does not come back.
const GONE_AFTER: SignedDuration = SignedDuration::from_hours(1);

impl Incidents {
    /// Writes down what has happened since it was last written, if that is worth it by now.
    pub(crate) async fn go_on(
        &self,
        record: &ConnectionRecord,
        id: IncidentId,
        sight: &Sight,
    ) -> Result<(), StoreError> {
        let (merchant, connection) = (&*record.merchant, &*record.connection);
        let Some(mut incident) = self.context.store.incident(merchant, id).await? else {
            return self.unname(record, id).await;
        };
        let expect = vec![incident.change()];
        let known = self.seen.lock().get(&key(merchant, connection)).copied();
        let mut is_news = known.is_none() && self.note_restart(&mut incident, sight);
        let seen = known.unwrap_or_else(|| self.first_seen(&incident, sight));
        is_news |= sight.note(&mut incident, &seen);
        let is_due = |at| sight.now.duration_since(at) >= WRITTEN_EVERY;
        let takes = is_news || sight.is_well() || seen.written_at.is_none_or(is_due);
        let trouble = takes
            .then(|| self.context.troubles.take(merchant, connection))
            .flatten();
        let written = self
            .write_down(incident, expect, trouble.as_ref(), is_news, sight)
            .await;
        match &written {
            Ok(Some(false)) | Err(_) => {
                if let Some(trouble) = trouble {
                    self.context.troubles.put_back(merchant, connection, trouble);
                }
            }
            Ok(Some(true)) => self.note_seen(record, sight.written_after(seen)),
            Ok(None) => self.note_seen(record, sight.seen_after(seen)),
        }
        written.map(drop)
    }

    /// Whether it could be written; none: there is nothing to be written.
    async fn write_down(
        &self,
        mut incident: IncidentRecord,
        mut expect: Vec<Expect>,
        trouble: Option<&Trouble>,
        mut is_news: bool,
        sight: &Sight,
    ) -> Result<Option<bool>, StoreError> {
        if let Some(trouble) = trouble {
            self.hear(&mut incident, trouble, &mut expect).await?;
        }
        is_news |= sight.note_answer(&mut incident);
        if self.is_over(&incident, sight).await? {
            return self.end(incident, expect, sight).await.map(Some);
        }
        if !is_news && trouble.is_none() {
            return Ok(None);
        }
        self.put(&incident, expect, None).await.map(Some)
    }

    /// A process that has the store for itself and finds an incident was started anew.
    fn note_restart(&self, incident: &mut IncidentRecord, sight: &Sight) -> bool {
        let is_restart = !self.context.store.is_shared();
        if is_restart {
            incident.note(IncidentEntry::new(sight.now, IncidentEventKind::Restarted));
        }
        is_restart
    }

    /// Of several processes each goes by what it sees change itself.
    fn first_seen(&self, incident: &IncidentRecord, sight: &Sight) -> Seen {
        if self.context.store.is_shared() {
            sight.seen_after(Seen::default())
        } else {
            Seen::at_start(incident)
        }
    }

    /// Whether the vendor takes calls again, and all is sent that was made before it did. Where nobody has configured the
    /// connection for a while, nothing is ever sent.
    async fn is_over(&self, incident: &IncidentRecord, sight: &Sight) -> Result<bool, StoreError> {
        if !sight.is_known {
            let last = incident
                .timeline()
                .last()
                .map_or(incident.began_at, |entry| entry.last_at);
            return Ok(sight.now.duration_since(last) > GONE_AFTER);
        }
        let Some(since) = incident.answering_since().filter(|_| sight.is_well()) else {
            return Ok(false);
        };
        let (merchant, connection) = (&incident.merchant, &incident.connection);
        let waiting = self.context.store.waiting_at(merchant, connection, None, 1).await?;
        Ok(waiting.first().is_none_or(|oldest| oldest.created_at > since))
    }

    async fn end(&self, mut incident: IncidentRecord, expect: Vec<Expect>, sight: &Sight) -> Result<bool, StoreError> {
        let counted = touched(&self.context.store, &incident, sight.now).await?;
        incident.end(sight.now, counted);
        let (id, now) = (incident.id, sight.now);
        let unnamed = |record: &mut ConnectionRecord| {
            record.incident_ended_at = Some(now);
            record.incident.take() == Some(id)
        };
        let ended = self.put(&incident, expect, Some(&unnamed)).await?;
        if ended {
            let (merchant, connection) = (&incident.merchant, &incident.connection);
            tracing::warn!(merchant, connection, incident_id = %id, "an incident is over");
        }
        Ok(ended)
    }
}
