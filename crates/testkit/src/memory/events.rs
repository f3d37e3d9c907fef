//! Webhook events in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::Timestamp;

use upsert_core::{CustomerId, EventId, UpsertId, Word as _};

use super::Tables;
use upsert_store::{
    EndpointRecord, EventCount, EventMarks, IncomingEvent, IncomingFilter, IncomingPage, IncomingState, OutgoingEvent,
    OutgoingFilter, OutgoingPage, OutgoingState, UpsertRecord,
};

/// What a database would have as tables, by their keys.
#[derive(Default)]
pub(super) struct EventTables {
    incoming: BTreeMap<EventId, IncomingEvent>,
    /// By merchant, source, the sender's id and the content.
    of_sender: BTreeMap<[String; 4], EventId>,
    marks: BTreeMap<(CustomerId, String), EventMarks>,
    outgoing: BTreeMap<EventId, OutgoingEvent>,
    endpoints: BTreeMap<(String, String), EndpointRecord>,
}

impl EventTables {
    pub(super) fn put_incoming(&mut self, row: IncomingEvent) {
        if let Some(before) = self.incoming.get(&row.id) {
            self.of_sender.remove(&of_sender(before));
        }
        self.of_sender.insert(of_sender(&row), row.id);
        self.incoming.insert(row.id, row);
    }

    pub(super) fn put_marks(&mut self, row: EventMarks) {
        self.marks.insert((row.customer, row.source.clone()), row);
    }

    pub(super) fn put_outgoing(&mut self, row: OutgoingEvent) {
        self.outgoing.insert(row.id, row);
    }

    pub(super) fn put_endpoint(&mut self, row: EndpointRecord) {
        let key = (row.merchant.clone(), row.endpoint.clone());
        self.endpoints.insert(key, row);
    }

    pub(super) fn delete_customer(&mut self, id: CustomerId) {
        self.marks.retain(|(customer, _), _| *customer != id);
    }

    pub(super) fn of_source(
        &self,
        merchant: &str,
        source: &str,
        event_id: &str,
        content: &str,
    ) -> Option<&IncomingEvent> {
        let of_sender = [merchant, source, event_id, content].map(str::to_owned);
        self.incoming.get(self.of_sender.get(&of_sender)?)
    }

    pub(super) fn marks(&self, customer: CustomerId, source: &str) -> Option<&EventMarks> {
        self.marks.get(&(customer, source.to_owned()))
    }

    pub(super) fn incoming(&self, id: EventId) -> Option<&IncomingEvent> {
        self.incoming.get(&id)
    }

    pub(super) fn outgoing(&self, id: EventId) -> Option<&OutgoingEvent> {
        self.outgoing.get(&id)
    }

    pub(super) fn endpoints(&self) -> Vec<EndpointRecord> {
        self.endpoints.values().cloned().collect()
    }

    pub(super) fn incoming_page(&self, filter: &IncomingFilter, before: Option<EventId>, limit: usize) -> IncomingPage {
        let (entries, has_more) = newest(&self.incoming, before, limit, |row| row.matches(filter));
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        IncomingPage { entries, next }
    }

    pub(super) fn outgoing_page(&self, filter: &OutgoingFilter, before: Option<EventId>, limit: usize) -> OutgoingPage {
        let (entries, has_more) = newest(&self.outgoing, before, limit, |row| row.matches(filter));
        let next = entries.last().filter(|_| has_more).map(|last| last.id);
        OutgoingPage { entries, next }
    }

    pub(super) fn failed_incoming(&self) -> Vec<EventCount<IncomingState>> {
        let failed = self
            .incoming
            .values()
            .filter(|row| row.state() == IncomingState::Failed);
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

    pub(super) fn open_outgoing(&self) -> Vec<EventCount<OutgoingState>> {
        let rows = self.outgoing.values();
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

    fn due(&self, now: Timestamp) -> impl Iterator<Item = &OutgoingEvent> {
        let is_due =
            move |row: &&OutgoingEvent| row.state().is_open() && row.next_attempt_at().is_some_and(|at| at <= now);
        self.outgoing.values().filter(is_due)
    }

    pub(super) fn due_endpoints(&self, now: Timestamp) -> Vec<(String, String)> {
        let endpoints: BTreeSet<_> = self.due(now).map(|row| (&row.merchant, &row.endpoint)).collect();
        let owned = |(merchant, endpoint): (&String, &String)| (merchant.clone(), endpoint.clone());
        endpoints.into_iter().map(owned).collect()
    }

    pub(super) fn due_to(&self, merchant: &str, endpoint: &str, now: Timestamp, limit: usize) -> Vec<OutgoingEvent> {
        let due = self.due(now);
        let mut due: Vec<_> = due
            .filter(|row| row.merchant == merchant && row.endpoint == endpoint)
            .collect();
        due.sort_by_key(|row| (row.next_attempt_at(), row.id));
        due.into_iter().take(limit).cloned().collect()
    }

    pub(super) fn waiting_for(
        &self,
        merchant: &str,
        endpoint: &str,
        after: Option<EventId>,
        limit: usize,
    ) -> Vec<OutgoingEvent> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.outgoing.range((from, Bound::Unbounded)).map(|(_, row)| row);
        rows.filter(|row| row.state().is_open() && row.merchant == merchant && row.endpoint == endpoint)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn forget(&mut self, done_before: Timestamp, failed_before: Timestamp, limit: usize) -> usize {
        let (done, failed) = (EventId::oldest_at(done_before), EventId::oldest_at(failed_before));
        let is_over = |id: EventId, has_failed| id < if has_failed { failed } else { done };
        let incoming = self.incoming.values();
        let incoming = incoming.filter(|row| is_over(row.id, row.state() == IncomingState::Failed));
        let outgoing = self.outgoing.values().filter(|row| !row.state().is_open());
        let outgoing = outgoing.filter(|row| is_over(row.id, row.state() == OutgoingState::Failed));
        let mut over: Vec<_> = incoming.map(|row| (row.id, false)).collect();
        over.extend(outgoing.map(|row| (row.id, true)));
        over.sort_unstable();
        over.truncate(limit);
        for (id, is_outgoing) in &over {
            if *is_outgoing {
                self.outgoing.remove(id);
            } else if let Some(row) = self.incoming.remove(id) {
                self.of_sender.remove(&of_sender(&row));
            }
        }
        over.len()
    }
}

impl Tables {
    pub(super) fn owing(&self, after: Option<UpsertId>, limit: usize) -> Vec<UpsertRecord> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.upserts.range((from, Bound::Unbounded)).map(|(_, row)| row);
        rows.filter(|row| row.owes_event()).take(limit).cloned().collect()
    }
}

/// Rows below an id that are wanted, and whether there are more of them.
fn newest<T: Clone>(
    rows: &BTreeMap<EventId, T>,
    before: Option<EventId>,
    limit: usize,
    is_wanted: impl Fn(&T) -> bool,
) -> (Vec<T>, bool) {
    let end = before.map_or(Bound::Unbounded, Bound::Excluded);
    let below = rows.range((Bound::Unbounded, end)).rev().map(|(_, row)| row);
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

fn of_sender(row: &IncomingEvent) -> [String; 4] {
    [&row.merchant, &row.source, &row.event_id, &row.content].map(String::clone)
}
