//! Filters as anybody may write them.

use std::collections::BTreeSet;
use std::fmt::Debug;

use jiff::Timestamp;
use proptest::prelude::*;
use upsert_core::{CustomerId, ErrorKind, UpsertId, WaitingFor, Word};

use crate::{DeliveryFilter, IncomingFilter, OutgoingFilter};

pub(crate) fn moments() -> impl Strategy<Value = Timestamp> + Clone {
    let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    (seconds, 0..1_000_000_000_i32)
        .prop_map(|(seconds, nanos)| Timestamp::new(seconds, nanos).unwrap_or(Timestamp::MAX))
}

fn some_of<T: Word + Ord + Debug + 'static>() -> impl Strategy<Value = BTreeSet<T>> {
    prop::sample::subsequence(T::ALL.to_vec(), 0..=T::ALL.len()).prop_map(|some| some.into_iter().collect())
}

fn maybe<T: Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(of)
}

/// Also empty, with commas, quotes and what is no ASCII.
fn texts_of_anybody() -> impl Strategy<Value = Option<String>> {
    maybe(any::<String>())
}

pub(crate) fn delivery_filters() -> impl Strategy<Value = DeliveryFilter> {
    let kinds = prop::sample::select(ErrorKind::ALL);
    let reasons = prop::sample::select(WaitingFor::ALL);
    let ids = (maybe(moments()), maybe(moments()));
    let words = (some_of(), maybe(kinds), maybe(reasons));
    let said = (texts_of_anybody(), texts_of_anybody());
    (words, ids, said, (maybe(moments()), maybe(moments()))).prop_map(|(words, ids, said, times)| DeliveryFilter {
        merchants: None,
        state: words.0,
        connection: said.0,
        error_kind: words.1,
        error_code: said.1,
        waiting_for: words.2,
        customer_id: ids.0.map(CustomerId::oldest_at),
        upsert_id: ids.1.map(UpsertId::oldest_at),
        since: times.0,
        until: times.1,
    })
}

pub(crate) fn incoming_filters() -> impl Strategy<Value = IncomingFilter> {
    let times = (maybe(moments()), maybe(moments()), maybe(moments()));
    (some_of(), texts_of_anybody(), texts_of_anybody(), times).prop_map(|(state, source, event_id, times)| {
        IncomingFilter {
            merchants: None,
            state,
            source,
            event_id,
            customer_id: times.0.map(CustomerId::oldest_at),
            since: times.1,
            until: times.2,
        }
    })
}

pub(crate) fn outgoing_filters() -> impl Strategy<Value = OutgoingFilter> {
    let times = (maybe(moments()), maybe(moments()));
    (some_of(), texts_of_anybody(), texts_of_anybody(), times).prop_map(|(state, endpoint, kind, times)| {
        OutgoingFilter {
            merchants: None,
            state,
            endpoint,
            r#type: kind,
            since: times.0,
            until: times.1,
        }
    })
}
