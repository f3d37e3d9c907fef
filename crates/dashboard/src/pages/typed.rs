//! What the form of a filter sends: read, shown in the form again, and written as an address.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use upsert_api::{Filter, PageQuery, Texts};
use upsert_app::Refusal;
use upsert_core::Word;

use crate::query::{Sent, address};

/// As `datetime-local` fields write it.
const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

/// A filter as it was typed; nothing is judged before it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed {
    /// The merchant first, then in the filter's order.
    members: Vec<(&'static str, String)>,
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

impl Typed {
    /// Of this filter; names that are none of its members are passed over.
    pub(crate) fn of<F: Filter>(sent: &Sent) -> Self {
        let others = F::NAMES.iter().filter(|name| **name != "merchant");
        let names = std::iter::once(&"merchant").chain(others);
        let member = |name: &&'static str| {
            let text = sent.get(name)?;
            let is_time = matches!(*name, "since" | "until");
            Some((*name, if is_time { in_utc(text) } else { text.to_owned() }))
        };
        Self {
            members: names.filter_map(member).collect(),
            cursor: sent.given("cursor"),
        }
    }

    /// By name, as far as something is given.
    pub(crate) fn members(&self) -> &[(&'static str, String)] {
        &self.members
    }

    /// What stands in a field; empty: nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.members.iter().find(|(member, _)| *member == name);
        found.map_or("", |(_, text)| text)
    }

    /// Whose is asked for; none: everybody's.
    pub(crate) fn merchant(&self) -> Option<&str> {
        Some(self.get("merchant")).filter(|merchant| !merchant.is_empty())
    }

    /// # Errors
    /// 400 with everything that is wrong.
    pub(crate) fn read<F: Filter>(&self) -> Result<F, Refusal> {
        let members = self
            .members
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.clone()));
        F::of(&members.collect::<Texts>()).map_err(Refusal::invalid_query)
    }

    /// The page of the list that is asked for.
    pub(crate) fn page(&self, limit: usize) -> PageQuery {
        PageQuery {
            limit,
            cursor: self.cursor.clone(),
        }
    }

    /// Whether that is not the first one.
    pub(crate) fn goes_on(&self) -> bool {
        self.cursor.is_some()
    }

    /// The same with this in the place of what was there; an empty one leaves it out.
    pub(crate) fn with(mut self, name: &'static str, text: &str) -> Self {
        match self.members.iter_mut().find(|(member, _)| *member == name) {
            Some((_, before)) => text.clone_into(before),
            None => self.members.push((name, text.to_owned())),
        }
        self.members.retain(|(_, text)| !text.is_empty());
        self
    }

    /// An address about the same, from the first page on.
    pub(crate) fn address(&self, path: &str) -> String {
        self.next(path, "")
    }

    /// The same from this cursor on.
    pub(crate) fn next(&self, path: &str, cursor: &str) -> String {
        let members = self.members.iter().map(|(name, text)| (*name, text.as_str()));
        address(path, members.chain(std::iter::once(("cursor", cursor))))
    }

    /// The fields for its times, each with its label.
    pub(crate) fn times(&self, labels: [(&'static str, &'static str); 2]) -> [TimeField; 2] {
        labels.map(|(name, label)| {
            let typed = self.get(name);
            let read: Option<Timestamp> = typed.parse().ok();
            TimeField {
                name,
                label,
                is_readable: typed.is_empty() || read.is_some(),
                value: read.map_or(typed.to_owned(), |at| at.strftime(LOCAL).to_string()),
            }
        })
    }

    /// What a member's select offers: first these, each with its label, then the other words one by one, and what was
    /// typed if it is something else.
    pub(crate) fn choices<T: Word>(&self, name: &str, first: &[(&[T], &str)]) -> Vec<Choice> {
        let typed = self.get(name);
        let choice = |value: String, label: &str| Choice {
            is_chosen: value == typed,
            label: label.replace('_', " "),
            value,
        };
        let joined = |words: &[T]| words.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(",");
        let first = first.iter().map(|(words, label)| choice(joined(words), label));
        let mut choices: Vec<Choice> = first.collect();
        for word in T::all().map(Word::as_str) {
            if choices.iter().all(|choice| choice.value != word) {
                choices.push(choice(word.to_owned(), word));
            }
        }
        if !typed.is_empty() && choices.iter().all(|choice| !choice.is_chosen) {
            choices.push(choice(typed.to_owned(), typed));
        }
        choices
    }
}

/// RFC 3339. What a `datetime-local` field sends is in UTC; what is no time stays as it was typed.
fn in_utc(typed: &str) -> String {
    if typed.parse::<Timestamp>().is_ok() {
        return typed.to_owned();
    }
    let local: Option<DateTime> = typed.parse().ok();
    let at = local.and_then(|local| local.to_zoned(TimeZone::UTC).ok());
    at.map_or(typed.to_owned(), |at| at.timestamp().to_string())
}

#[cfg(test)]
mod tests {
    use actix_web::web::Query;
    use upsert_api::{DeliveryFilter, DeliveryState};

    use super::*;

    fn typed(query: &str) -> Typed {
        Typed::of::<DeliveryFilter>(&Query::<Sent>::from_query(query).unwrap())
    }

    #[test]
    fn what_a_field_for_times_sends_is_read_in_utc_and_what_is_none_is_kept() {
        let labels = [("since", "Made since"), ("until", "Made before")];
        for (text, read, shown, is_readable) in [
            ("2026-11-21T12:40", "2026-11-21T12:40:00Z", "2026-11-21T12:40:00", true),
            (
                "2026-11-21T12:40:05Z",
                "2026-11-21T12:40:05Z",
                "2026-11-21T12:40:05",
                true,
            ),
            (
                "2026-11-21T12:04:31%2B02:00",
                "2026-11-21T12:04:31+02:00",
                "2026-11-21T10:04:31",
                true,
            ),
            ("yesterday", "yesterday", "yesterday", false),
        ] {
            let filter = typed(&format!("since={text}"));
            assert_eq!(filter.get("since"), read);
            let [since, until] = filter.times(labels);
            assert_eq!(
                (since.value.as_str(), since.is_readable),
                (shown, is_readable),
                "{text}"
            );
            assert_eq!((until.value.as_str(), until.is_readable), ("", true));
            assert_eq!(filter.read::<DeliveryFilter>().is_ok(), is_readable, "{text}");
        }
    }

    #[test]
    fn an_address_keeps_the_filter_but_for_what_is_put_in_its_place() {
        let filter = typed("state=failed&connection=a%26b&since=2026-11-21T12:40:00Z&cursor=x&nonsense=1");
        let with = filter.with("since", "").next("/ops/deliveries", "y");
        assert_eq!(with, "/ops/deliveries?state=failed&connection=a%26b&cursor=y");
    }

    #[test]
    fn a_state_that_no_select_offers_stays_chosen() {
        let first: [(&[_], _); 1] = [(&[DeliveryState::Failed], "failed: dead letters")];
        let choices = typed("state=failed,discarded").choices("state", &first);
        let chosen: Vec<_> = choices.iter().filter(|state| state.is_chosen).collect();
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].value, "failed,discarded");
        assert_eq!(choices.len(), DeliveryState::ALL.len() + 1, "none stands there twice");
    }
}
