//! Outages of one connection: what happened from the first failure until what waited was drained.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{DeliveryError, IncidentEventKind, IncidentFilter, PausedBy};
use upsert_core::{CustomerId, DeliveryId, IncidentId};

use crate::{Expect, StoreError};

/// Entries of a timeline that are kept.
const MOST_ENTRIES: usize = 100;
/// Of more, so many of the oldest stay: how it began says most.
const OLDEST: usize = 20;

/// An outage of one connection. A merchant's connection has at most one that has not ended:
/// [`crate::ConnectionRecord::incident`] names it, and whoever begins one writes both under that record's revision. What
/// happens is noted by the methods below alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// Its id.
    pub id: IncidentId,
    /// Whose connection.
    pub merchant: String,
    /// Which.
    pub connection: String,
    revision: u64,
    /// The first failure.
    #[serde(with = "timestamp::required")]
    pub began_at: Timestamp,
    is_down: bool,
    is_paused: bool,
    failures: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    last_failure_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    answering_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "timestamp::optional")]
    ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_words: Option<IncidentWords>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_words: Option<IncidentWords>,
    timeline: Vec<IncidentEntry>,
    left_out: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    touched: Option<TouchedRecord>,
}

/// What the vendor said in one answer, and in whose delivery: when that customer is erased, the words are forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentWords {
    /// When.
    #[serde(with = "timestamp::required")]
    pub at: Timestamp,
    /// In which delivery.
    pub delivery: DeliveryId,
    /// Whose.
    pub customer: CustomerId,
    /// The words, with what they mean.
    pub error: DeliveryError,
}

/// Something that happened, once or several times in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentEntry {
    /// When, the first time.
    #[serde(with = "timestamp::required")]
    pub at: Timestamp,
    /// What.
    pub kind: IncidentEventKind,
    /// How often in a row.
    pub times: u32,
    /// When, the last time.
    #[serde(with = "timestamp::required")]
    pub last_at: Timestamp,
    /// The HTTP status of the vendor's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_status: Option<u16>,
    /// Of a pause: who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PausedBy>,
    /// Of a pause: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whom an incident touched, counted when it ended: deliveries are forgotten sooner than incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchedRecord {
    /// Customers with a delivery that failed or had to wait.
    pub customers: u64,
    /// Some of them.
    pub ids: Vec<CustomerId>,
    /// Deliveries that failed or had to wait.
    pub deliveries: u64,
    /// Of which a newer one went in the place.
    pub coalesced: u64,
    /// Whether that is all.
    pub is_all: bool,
}

impl IncidentEntry {
    /// Of something that happened once.
    pub const fn new(at: Timestamp, kind: IncidentEventKind) -> Self {
        Self {
            at,
            kind,
            times: 1,
            last_at: at,
            vendor_status: None,
            by: None,
            reason: None,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.kind, self.vendor_status, self.by, &self.reason)
            == (other.kind, other.vendor_status, other.by, &other.reason)
    }
}

impl IncidentRecord {
    /// One that begins with a failure at this moment.
    pub fn new(id: IncidentId, merchant: &str, connection: &str, began_at: Timestamp) -> Self {
        Self {
            id,
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            revision: 1,
            began_at,
            is_down: false,
            is_paused: false,
            failures: 0,
            last_failure_at: None,
            answering_since: None,
            ended_at: None,
            first_words: None,
            last_words: None,
            timeline: Vec::new(),
            left_out: 0,
            touched: None,
        }
    }

    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub const fn change(&mut self) -> Expect {
        let revision = Some(self.revision);
        self.revision += 1;
        Expect::Incident { id: self.id, revision }
    }

    /// Adds to the timeline: what is like the last entry counts as one more of it.
    pub fn note(&mut self, entry: IncidentEntry) {
        if let Some(last) = self.timeline.last_mut().filter(|last| last.is_like(&entry)) {
            last.times = last.times.saturating_add(entry.times);
            last.last_at = last.last_at.max(entry.last_at);
            return;
        }
        if self.timeline.len() >= MOST_ENTRIES {
            self.timeline.remove(OLDEST);
            self.left_out += 1;
        }
        self.timeline.push(entry);
    }

    /// So many more calls have failed, the last of them at this moment.
    pub fn fail(&mut self, failures: u64, last_at: Timestamp) {
        self.failures = self.failures.saturating_add(failures);
        self.last_failure_at = self.last_failure_at.max(Some(last_at));
        if self.answering_since.is_some_and(|since| since < last_at) {
            self.answering_since = None;
        }
    }

    /// What the vendor said to one of them: the first words and the newest ones are kept.
    pub fn hear(&mut self, words: IncidentWords) {
        let is_newest = self.last_words.as_ref().is_none_or(|known| known.at <= words.at);
        if self.first_words.is_none() {
            self.first_words = Some(words.clone());
        }
        if is_newest {
            self.last_words = Some(words);
        }
    }

    /// The vendor fails: calls are held back from now on. Whether nobody had noted that.
    pub fn go_down(&mut self, at: Timestamp, vendor_status: Option<u16>) -> bool {
        self.answering_since = None;
        let is_news = !std::mem::replace(&mut self.is_down, true);
        if is_news {
            self.note(IncidentEntry {
                vendor_status,
                ..IncidentEntry::new(at, IncidentEventKind::Down)
            });
        }
        is_news
    }

    /// The vendor takes calls again. Whether nobody had noted that.
    pub fn answer(&mut self, at: Timestamp) -> bool {
        let was_down = std::mem::take(&mut self.is_down);
        if self.answering_since.is_some() {
            return was_down;
        }
        self.answering_since = Some(at);
        self.note(IncidentEntry::new(at, IncidentEventKind::Answering));
        true
    }

    /// Nothing is sent from now on. Whether nobody had noted that.
    pub fn pause(&mut self, at: Timestamp, by: PausedBy, reason: &str) -> bool {
        let is_news = !std::mem::replace(&mut self.is_paused, true);
        if is_news {
            self.note(IncidentEntry {
                by: Some(by),
                reason: (!reason.is_empty()).then(|| reason.to_owned()),
                ..IncidentEntry::new(at, IncidentEventKind::Paused)
            });
        }
        is_news
    }

    /// A pause is over. Whether nobody had noted that.
    pub fn resume(&mut self, at: Timestamp) -> bool {
        let is_news = std::mem::take(&mut self.is_paused);
        if is_news {
            self.note(IncidentEntry::new(at, IncidentEventKind::Resumed));
        }
        is_news
    }

    /// What waited is sent.
    pub fn end(&mut self, at: Timestamp, touched: TouchedRecord) {
        if self.ended_at.is_none() {
            self.note(IncidentEntry::new(at, IncidentEventKind::Ended));
            self.ended_at = Some(at);
            self.touched = Some(touched);
        }
    }

    /// Forgets what the vendor said in deliveries of this customer. Whether there was anything.
    pub fn forget_words_of(&mut self, customer: CustomerId) -> bool {
        let is_theirs = |words: &mut IncidentWords| words.customer == customer;
        let first = self.first_words.take_if(is_theirs);
        let last = self.last_words.take_if(is_theirs);
        first.is_some() || last.is_some()
    }

    /// Grows by one with each write of the row, for [`Expect::Incident`].
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether calls are held back, because the vendor fails.
    pub const fn is_down(&self) -> bool {
        self.is_down
    }

    /// Whether nothing is sent at all.
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Calls that failed.
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// When the last of them did.
    pub const fn last_failure_at(&self) -> Option<Timestamp> {
        self.last_failure_at
    }

    /// Since when the vendor takes calls again.
    pub const fn answering_since(&self) -> Option<Timestamp> {
        self.answering_since
    }

    /// When what waited was sent; none: the incident is open.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// What the vendor answered to the first call that failed; none: nothing is known of it, or not any more.
    pub const fn first_words(&self) -> Option<&IncidentWords> {
        self.first_words.as_ref()
    }

    /// What it answered to the last one.
    pub const fn last_words(&self) -> Option<&IncidentWords> {
        self.last_words.as_ref()
    }

    /// What happened, oldest first.
    pub fn timeline(&self) -> &[IncidentEntry] {
        &self.timeline
    }

    /// Entries of the timeline that were left out in its middle.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whom it touched, once it has ended.
    pub const fn touched(&self) -> Option<&TouchedRecord> {
        self.touched.as_ref()
    }

    /// Whether the filter means it.
    pub fn matches(&self, filter: &IncidentFilter) -> bool {
        filter.of_merchants().is_none_or(|of| of.contains(&self.merchant))
            && filter.connection.as_ref().is_none_or(|name| *name == self.connection)
            && filter.has_ended().is_none_or(|has| has == self.ended_at.is_some())
    }
}

/// Incidents.
#[async_trait]
pub trait IncidentStore: Debug + Send + Sync + 'static {
    /// An incident of one merchant's.
    async fn incident(&self, merchant: &str, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError>;

    /// Incidents that match, newest first by id, below `before`: as many as are asked for, if there are so many.
    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<IncidentRecord>, StoreError>;

    /// Incidents that ended before this moment, with their merchants, those first that ended first.
    async fn incidents_ended_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(String, IncidentId)>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn incident() -> IncidentRecord {
        IncidentRecord::new(IncidentId::oldest_at(at(0)), "acme", "crm", at(0))
    }

    #[test]
    fn what_happens_in_a_row_is_one_entry_and_a_long_timeline_keeps_its_beginning_and_its_end() {
        let mut incident = incident();
        for second in 1..=300 {
            incident.note(IncidentEntry::new(at(second), IncidentEventKind::StillDown));
        }
        let [entry] = incident.timeline() else {
            panic!("{:?}", incident.timeline())
        };
        assert_eq!((entry.at, entry.times, entry.last_at), (at(1), 300, at(300)));
        for second in 301..=800 {
            let status = Some(u16::try_from(second).unwrap());
            incident.note(IncidentEntry {
                vendor_status: status,
                ..IncidentEntry::new(at(second), IncidentEventKind::StillDown)
            });
        }
        let kept: Vec<_> = incident.timeline().iter().map(|entry| entry.at).collect();
        assert_eq!((kept.len(), incident.left_out()), (100, 401));
        assert_eq!(
            (kept[0], kept[19], kept[20], kept[99]),
            (at(1), at(319), at(721), at(800))
        );
    }

    #[test]
    fn what_was_noted_is_no_news() {
        use IncidentEventKind::{Answering, Down, Paused, Resumed};
        let mut incident = incident();
        assert!(incident.go_down(at(1), Some(503)) && !incident.go_down(at(2), Some(500)));
        assert!(incident.pause(at(3), PausedBy::Operator, "") && !incident.pause(at(4), PausedBy::Vendor, "401"));
        assert!(incident.resume(at(5)) && !incident.resume(at(6)));
        assert!(incident.answer(at(7)) && !incident.answer(at(8)));
        assert_eq!(incident.answering_since(), Some(at(7)));
        assert!(incident.go_down(at(9), Some(503)));
        assert_eq!(incident.answering_since(), None);
        let kinds: Vec<_> = incident.timeline().iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [Down, Paused, Resumed, Answering, Down]);
    }
}
