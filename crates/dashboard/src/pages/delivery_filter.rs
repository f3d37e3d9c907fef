//! Which deliveries a page is about: what the filter's form sends, read, written as an address, and told in words.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use upsert_app::DeliveryListQuery;
use upsert_core::{ErrorKind, WaitingFor};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::query::{address, given};
use crate::render::moment;

/// As `datetime-local` fields write it.
const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

/// The states as a form offers them. Dead letters are those that have failed.
const STATES: [(&str, &str); 9] = [
    ("failed", "failed: dead letters"),
    ("pending,retrying,waiting", "all that wait"),
    ("pending", "pending"),
    ("in_flight", "in flight"),
    ("retrying", "retrying"),
    ("waiting", "waiting"),
    ("succeeded", "succeeded"),
    ("superseded", "superseded"),
    ("discarded", "discarded"),
];

/// As it was typed; nothing is judged before the use cases do.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct DeliveryFilter {
    state: Option<String>,
    merchant: Option<String>,
    connection: Option<String>,
    error_kind: Option<String>,
    error_code: Option<String>,
    waiting_for: Option<String>,
    since: Option<String>,
    until: Option<String>,
    customer_id: Option<String>,
    upsert_id: Option<String>,
    cursor: Option<String>,
}

/// One line of a select.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) is_chosen: bool,
}

/// A time in a form.
pub(crate) struct TimeField {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) value: String,
    /// Otherwise it is shown as it was typed, in a field that shows any text.
    pub(crate) is_readable: bool,
}

impl DeliveryFilter {
    /// By name, without the cursor, as far as something is given.
    pub(crate) fn members(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("state", given(self.state.as_deref())),
            ("merchant", given(self.merchant.as_deref())),
            ("connection", given(self.connection.as_deref())),
            ("error_kind", given(self.error_kind.as_deref())),
            ("error_code", given(self.error_code.as_deref())),
            ("waiting_for", given(self.waiting_for.as_deref())),
            ("since", time(given(self.since.as_deref()))),
            ("until", time(given(self.until.as_deref()))),
            ("customer_id", given(self.customer_id.as_deref())),
            ("upsert_id", given(self.upsert_id.as_deref())),
        ];
        let given = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.collect()
    }

    /// What stands in a field, as typed.
    pub(crate) fn typed(&self, name: &str) -> String {
        let members = self.members();
        let found = members.into_iter().find(|(member, _)| *member == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    /// A page about the same deliveries.
    pub(crate) fn address(&self, path: &str) -> String {
        self.address_with(path, &[])
    }

    /// The same, with other members in the place of its own; an empty one leaves its own out.
    pub(crate) fn address_with(&self, path: &str, others: &[(&str, &str)]) -> String {
        let members = self.members();
        let own = members
            .iter()
            .filter(|(name, _)| others.iter().all(|(other, _)| other != name));
        let own = own.map(|(name, value)| (*name, value.as_str()));
        let all: Vec<_> = own.chain(others.iter().copied()).map(|(n, v)| (n, Some(v))).collect();
        address(path, &all)
    }

    /// Where the list goes on from, if not from the newest.
    pub(crate) fn cursor(&self) -> Option<String> {
        given(self.cursor.as_deref())
    }

    pub(crate) fn states(&self) -> Vec<Choice> {
        choices(STATES.into_iter(), &self.typed("state"))
    }

    pub(crate) fn kinds(&self) -> Vec<Choice> {
        let known = ErrorKind::ALL.map(|kind| (kind.as_str(), kind.as_str()));
        choices(known.into_iter(), &self.typed("error_kind"))
    }

    pub(crate) fn reasons(&self) -> Vec<Choice> {
        let known = WaitingFor::ALL.map(|reason| (reason.as_str(), reason.as_str()));
        choices(known.into_iter(), &self.typed("waiting_for"))
    }

    pub(crate) fn times(&self) -> [TimeField; 2] {
        [("since", "Made since (UTC)"), ("until", "Made before (UTC)")].map(|(name, label)| {
            let typed = self.typed(name);
            let read: Option<Timestamp> = typed.parse().ok();
            TimeField {
                name,
                label,
                is_readable: typed.is_empty() || read.is_some(),
                value: read.map_or(typed, |at| at.strftime(LOCAL).to_string()),
            }
        })
    }

    /// The same of the last hour, day and week.
    pub(crate) fn recent(&self, now: Timestamp) -> [(&'static str, String); 3] {
        [("last hour", 1), ("last day", 24), ("last week", 7 * 24)].map(|(name, hours)| {
            let since = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let link = self.address_with("/ops/deliveries", &[("since", &since), ("until", "")]);
            (name, link)
        })
    }

    /// For people: what is filtered by, and how.
    pub(crate) fn words(&self) -> Vec<(String, String)> {
        let in_words = |(name, value): (&'static str, String)| match name {
            "state" => (name.to_owned(), value.replace('_', " ").replace(',', ", ")),
            "since" | "until" => {
                let at: Option<Timestamp> = value.parse().ok();
                let name = if name == "since" { "made since" } else { "made before" };
                (name.to_owned(), at.map_or(value, |at| format!("{} UTC", moment(at))))
            }
            "error_kind" | "waiting_for" => (name.replace('_', " "), value.replace('_', " ")),
            _ => (name.replace('_', " "), value),
        };
        self.members().into_iter().map(in_words).collect()
    }

    /// The merchants that are meant, of those that the key may see; none: all.
    ///
    /// # Errors
    /// 404 for one that is not there for this key.
    pub(crate) fn merchants(&self, session: &Session) -> Result<Option<BTreeSet<String>>, PageError> {
        match given(self.merchant.as_deref()) {
            Some(id) => Ok(Some(BTreeSet::from([session.merchant(&id)?.id.clone()]))),
            None => Ok(session.principal.in_sight()),
        }
    }

    /// As the list is asked for.
    ///
    /// # Errors
    /// See [`Self::merchants`].
    pub(crate) fn query(&self, session: &Session, limit: usize) -> Result<DeliveryListQuery, PageError> {
        Ok(DeliveryListQuery {
            merchants: self.merchants(session)?,
            state: given(self.state.as_deref()),
            connection: given(self.connection.as_deref()),
            error_kind: given(self.error_kind.as_deref()),
            error_code: given(self.error_code.as_deref()),
            waiting_for: given(self.waiting_for.as_deref()),
            customer_id: given(self.customer_id.as_deref()),
            upsert_id: given(self.upsert_id.as_deref()),
            since: time(given(self.since.as_deref())),
            until: time(given(self.until.as_deref())),
            limit,
            cursor: self.cursor(),
        })
    }

    /// As replays and discards by filter are asked for: of dead letters, unless it names states.
    pub(crate) fn or_failed(mut self) -> Self {
        self.state = given(self.state.as_deref()).or_else(|| Some("failed".to_owned()));
        self
    }

    /// The body of such a request; the merchants go beside it.
    pub(crate) fn body(&self) -> Map<String, Json> {
        let members = self.members().into_iter();
        let members = members.filter(|(name, _)| *name != "merchant");
        members.map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }
}

/// RFC 3339. What a `datetime-local` field sends is in UTC; what is no time stays as it was typed.
fn time(typed: Option<String>) -> Option<String> {
    let typed = typed?;
    if typed.parse::<Timestamp>().is_ok() {
        return Some(typed);
    }
    let local: Option<DateTime> = typed.parse().ok();
    let at = local.and_then(|local| local.to_zoned(TimeZone::UTC).ok());
    Some(at.map_or(typed, |at| at.timestamp().to_string()))
}

/// What is known, and what was typed if it is something else.
fn choices<'a>(known: impl Iterator<Item = (&'a str, &'a str)>, typed: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = known
        .map(|(value, label)| Choice {
            value: value.to_owned(),
            label: label.replace('_', " "),
            is_chosen: value == typed,
        })
        .collect();
    if !typed.is_empty() && choices.iter().all(|choice| !choice.is_chosen) {
        choices.push(Choice {
            value: typed.to_owned(),
            label: typed.replace('_', " "),
            is_chosen: true,
        });
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(text: &str) -> DeliveryFilter {
        DeliveryFilter {
            since: Some(text.to_owned()),
            ..DeliveryFilter::default()
        }
    }

    #[test]
    fn what_a_field_for_times_sends_is_read_in_utc_and_what_is_none_is_kept() {
        for (typed, read, is_readable) in [
            ("2026-11-21T12:40", "2026-11-21T12:40:00Z", true),
            ("2026-11-21T12:40:05Z", "2026-11-21T12:40:05Z", true),
            ("yesterday", "yesterday", false),
        ] {
            let filter = since(typed);
            assert_eq!(filter.body()["since"], read);
            assert_eq!(filter.times()[0].is_readable, is_readable, "{typed}");
        }
        assert_eq!(since("2026-11-21T12:40").times()[0].value, "2026-11-21T12:40:00");
        assert_eq!(since("yesterday").times()[0].value, "yesterday");
    }

    #[test]
    fn an_address_keeps_the_filter_but_for_what_is_put_in_its_place() {
        let filter = DeliveryFilter {
            state: Some("failed".to_owned()),
            connection: Some("a&b".to_owned()),
            cursor: Some("x".to_owned()),
            ..since("2026-11-21T12:40:00Z")
        };
        let with = filter.address_with("/ops/deliveries", &[("since", ""), ("cursor", "y")]);
        assert_eq!(with, "/ops/deliveries?state=failed&connection=a%26b&cursor=y");
    }

    #[test]
    fn a_state_that_no_select_offers_stays_chosen() {
        let filter = DeliveryFilter {
            state: Some("failed,discarded".to_owned()),
            ..DeliveryFilter::default()
        };
        let chosen: Vec<_> = filter.states().into_iter().filter(|state| state.is_chosen).collect();
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].value, "failed,discarded");
    }
}
