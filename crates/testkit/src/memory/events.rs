//! Webhook events in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::Timestamp;

use upsert_core::{CustomerId, EventId, Word as _};

use super::tables::AllTables;
use upsert_store::{
    EndpointRecord, EventCount, EventMarks, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState,
};

/// What a database would have as one merchant's tables, by their keys.
#[derive(Default)]
pub(crate) struct EventTables {
    pub(crate) incoming: BTreeMap<EventId, IncomingEvent>,
    /// By source, the sender's id and the content.
    of_sender: BTreeMap<[String; 3], EventId>,
    marks: BTreeMap<(CustomerId, String), EventMarks>,
    pub(crate) outgoing: BTreeMap<EventId, OutgoingEvent>,
    pub(crate) endpoints: BTreeMap<String, EndpointRecord>,
}

impl EventTables {
    pub(crate) fn put_incoming(&mut self, row: IncomingEvent) {
        if let Some(before) = self.incoming.get(&row.id) {
            self.of_sender.remove(&of_sender(before));
        }
        self.of_sender.insert(of_sender(&row), row.id);
        self.incoming.insert(row.id, row);
    }

    pub(crate) fn put_marks(&mut self, row: EventMarks) {
        self.marks.insert((row.customer, row.source.clone()), row);
    }

    pub(crate) fn delete_customer(&mut self, id: CustomerId) {
        self.marks.retain(|(customer, _), _| *customer != id);
    }

    pub(crate) fn of_source(&self, source: &str, event_id: &str, content: &str) -> Option<&IncomingEvent> {
        let of_sender = [source, event_id, content].map(str::to_owned);
        self.incoming.get(self.of_sender.get(&of_sender)?)
    }

    pub(crate) fn marks(&self, customer: CustomerId, source: &str) -> Option<&EventMarks> {
        self.marks.get(&(customer, source.to_owned()))
    }

    pub(crate) fn remove(&mut self, id: EventId, is_outgoing: bool) {
        if is_outgoing {
            self.outgoing.remove(&id);
        } else if let Some(row) = self.incoming.remove(&id) {
            self.of_sender.remove(&of_sender(&row));
        }
    }

    fn due(&self, now: Timestamp) -> impl Iterator<Item = &OutgoingEvent> {
        let is_due =
            move |row: &&OutgoingEvent| row.state().is_open() && row.next_attempt_at().is_some_and(|at| at <= now);
        self.outgoing.values().filter(is_due)
    }

    pub(crate) fn due_to(&self, endpoint: &str, now: Timestamp, limit: usize) -> Vec<OutgoingEvent> {
        let mut due: Vec<_> = self.due(now).filter(|row| row.endpoint == endpoint).collect();
        due.sort_by_key(|row| (row.next_attempt_at(), row.id));
        due.into_iter().take(limit).cloned().collect()
    }

    pub(crate) fn waiting_for(&self, endpoint: &str, after: Option<EventId>, limit: usize) -> Vec<OutgoingEvent> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.outgoing.range((from, Bound::Unbounded)).map(|(_, row)| row);
        let waiting = rows.filter(|row| row.state().is_open() && row.endpoint == endpoint);
        waiting.take(limit).cloned().collect()
    }
}

impl AllTables {
    /// Every event that came in, oldest first.
    fn every_incoming(&self) -> Vec<&IncomingEvent> {
        let rows = self.0.values().flat_map(|tables| tables.events.incoming.values());
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// Every event that goes out, oldest first.
    fn every_outgoing(&self) -> Vec<&OutgoingEvent> {
        let rows = self.0.values().flat_map(|tables| tables.events.outgoing.values());
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    pub(crate) fn endpoints(&self) -> Vec<EndpointRecord> {
        let rows = self.0.values().flat_map(|tables| tables.events.endpoints.values());
        rows.cloned().collect()
    }

    pub(crate) fn incoming_page(&self, filter: &IncomingFilter, before: Option<EventId>, limit: usize) -> IncomingPage {
        let (entries, has_more) = newest(
            self.every_incoming(),
            |row| row.id,
            before,
            limit,
            |row| row.matches(filter),
        );
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        IncomingPage { entries, next }
    }

    pub(crate) fn outgoing_page(&self, filter: &OutgoingFilter, before: Option<EventId>, limit: usize) -> OutgoingPage {
        let (entries, has_more) = newest(
            self.every_outgoing(),
            |row| row.id,
            before,
            limit,
            |row| row.matches(filter),
        );
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        OutgoingPage { entries, next }
    }

    pub(crate) fn failed_incoming(&self) -> Vec<EventCount<IncomingState>> {
        let rows = self.every_incoming().into_iter();
        let failed = rows.filter(|row| row.state() == IncomingState::Failed);
        let counts = counted(failed.map(|row| ((&*row.merchant, &*row.source, row.state().as_str()), row.received_at)));
        let count = |((merchant, source, _), (count, oldest)): (Group<'_>, _)| EventCount {
            merchant: merchant.to_owned(),
            name: source.to_owned(),
            state: IncomingState::Failed,
            count,
            oldest,
        };
        counts.into_iter().map(count).collect()
    }

    pub(crate) fn open_outgoing(&self) -> Vec<EventCount<OutgoingState>> {
        let rows = self.every_outgoing().into_iter();
        let wanted = rows.filter(|row| row.state().is_open() || row.state() == OutgoingState::Failed);
        let counts =
            counted(wanted.map(|row| ((&*row.merchant, &*row.endpoint, row.state().as_str()), row.created_at)));
        let count = |((merchant, endpoint, state), (count, oldest)): (Group<'_>, _)| {
            Some(EventCount {
                merchant: merchant.to_owned(),
                name: endpoint.to_owned(),
                state: state.parse().ok()?,
                count,
                oldest,
            })
        };
        counts.into_iter().filter_map(count).collect()
    }

    pub(crate) fn due_endpoints(&self, now: Timestamp) -> Vec<(String, String)> {
        let due = self.0.values().flat_map(|tables| tables.events.due(now));
        let endpoints: BTreeSet<_> = due.map(|row| (&row.merchant, &row.endpoint)).collect();
        let owned = |(merchant, endpoint): (&String, &String)| (merchant.clone(), endpoint.clone());
        endpoints.into_iter().map(owned).collect()
    }

    pub(crate) fn forget(&mut self, done_before: Timestamp, failed_before: Timestamp, limit: usize) -> usize {
        let (done, failed) = (EventId::oldest_at(done_before), EventId::oldest_at(failed_before));
        let is_over = |id: EventId, has_failed| id < if has_failed { failed } else { done };
        let incoming = self.every_incoming().into_iter();
        let incoming = incoming.filter(|row| !row.is_kept() && is_over(row.id, row.state() == IncomingState::Failed));
        let outgoing = self.every_outgoing().into_iter().filter(|row| !row.state().is_open());
        let outgoing = outgoing.filter(|row| is_over(row.id, row.state() == OutgoingState::Failed));
        let mut over: Vec<_> = incoming.map(|row| (row.id, row.merchant.clone(), false)).collect();
        over.extend(outgoing.map(|row| (row.id, row.merchant.clone(), true)));
        over.sort_unstable();
        over.truncate(limit);
        for (id, merchant, is_outgoing) in &over {
            if let Some(tables) = self.0.get_mut(merchant) {
                tables.events.remove(*id, *is_outgoing);
            }
        }
        over.len()
    }
}

/// Of rows from the oldest to the newest: those below an id that are wanted, newest first, and whether there are more of
/// them.
fn newest<T: Clone>(
    rows: Vec<&T>,
    id: impl Fn(&T) -> EventId,
    before: Option<EventId>,
    limit: usize,
    is_wanted: impl Fn(&T) -> bool,
) -> (Vec<T>, bool) {
    let newest_first = rows.into_iter().rev();
    let below = newest_first.filter(|row| before.is_none_or(|before| id(row) < before));
    let mut wanted = below.filter(|row| is_wanted(row));
    let entries = wanted.by_ref().take(limit).cloned().collect();
    (entries, wanted.next().is_some())
}

/// Merchant, source or endpoint, state.
type Group<'a> = (&'a str, &'a str, &'a str);

/// How many of each, and their earliest moment.
fn counted<'a>(rows: impl Iterator<Item = (Group<'a>, Timestamp)>) -> BTreeMap<Group<'a>, (u64, Timestamp)> {
    let mut counts = BTreeMap::new();
    for (group, at) in rows {
        let (count, oldest) = counts.entry(group).or_insert((0, at));
        *count += 1;
        *oldest = at.min(*oldest);
    }
    counts
}

fn of_sender(row: &IncomingEvent) -> [String; 3] {
    [&row.source, &row.event_id, &row.content].map(String::clone)
}
