//! What the API says, as people read it.

use serde_json::Value as Json;

use jiff::Timestamp;
use upsert_api::{
    Attempt, Attention, DeliveryError, IncidentEvent, IncidentEventKind, ListedIncident, PausedBy, Severity,
};
use upsert_core::{Warning, WarningCode};

use crate::render::apart;

/// A value for people; empty: there is none.
pub(crate) fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// JSON in lines, a text as it is; none where there is nothing.
pub(crate) fn in_lines(json: &Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        json => serde_json::to_string_pretty(json).ok(),
    }
}

/// The vendor's own document, in lines; none: there was none.
pub(crate) fn vendors_answer(error: &DeliveryError) -> Option<String> {
    error.vendor_body.as_ref().and_then(in_lines)
}

/// What happened, for people.
pub(crate) fn happened(entry: &IncidentEvent) -> &'static str {
    match (entry.kind, entry.by) {
        (IncidentEventKind::Began, _) => "The first call failed",
        (IncidentEventKind::Down, _) => "Down: calls are held back",
        (IncidentEventKind::StillDown, _) => "Still down: a call that was to find out failed",
        (IncidentEventKind::Answering, _) => "The vendor takes calls again",
        (IncidentEventKind::Paused, Some(PausedBy::Vendor)) => "Paused: the vendor refuses the credentials",
        (IncidentEventKind::Paused, _) => "Paused by hand",
        (IncidentEventKind::Resumed, _) => "Resumed",
        (IncidentEventKind::Restarted, _) => "The gateway was started anew",
        (IncidentEventKind::Ended, _) => "Over: what waited is sent",
    }
}

/// How long it has lasted, or did.
pub(crate) fn lasted(incident: &ListedIncident, now: Timestamp) -> String {
    apart(incident.began_at, incident.ended_at.unwrap_or(now))
}

/// The beginning of somebody's words, for a cell of a table.
pub(crate) fn shortened(words: &str) -> String {
    const MOST: usize = 80;
    let mut letters = words.chars();
    let beginning: String = letters.by_ref().take(MOST).collect();
    match letters.next() {
        Some(_) => format!("{}…", beginning.trim_end()),
        None => beginning,
    }
}

/// Warnings that say the same of several fields, told once: code, fields, sentence.
pub(crate) fn gathered(warnings: &[Warning]) -> Vec<(WarningCode, Vec<&str>, &str)> {
    let mut gathered: Vec<(WarningCode, Vec<&str>, &str)> = Vec::new();
    for warning in warnings {
        let says = (warning.code, warning.detail.as_ref());
        match gathered.iter_mut().find(|(code, _, detail)| (*code, *detail) == says) {
            Some((_, pointers, _)) => pointers.push(&warning.pointer),
            None => gathered.push((says.0, vec![&warning.pointer], says.1)),
        }
    }
    gathered
}

/// How long a call took, in milliseconds; none: nobody knows.
pub(crate) fn took_ms(attempt: &Attempt) -> Option<i128> {
    Some(attempt.ended_at?.duration_since(attempt.started_at).as_millis())
}

/// How the page shows how bad something is.
pub(crate) const fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "bad",
        Severity::Warning => "warn",
    }
}

/// Whose something is: `acme / rotor`, or the gateway's own.
pub(crate) fn whose(of: &Attention) -> String {
    match &of.merchant_id {
        Some(merchant) => format!("{merchant} / {}", of.name),
        None => of.name.clone(),
    }
}

/// Where in its file something stands; the page says whose file it is.
pub(crate) fn in_its_file(place: &str) -> &str {
    place.split_once(": ").map_or("itself", |(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_shortened_between_letters() {
        assert_eq!(shortened("no"), "no");
        assert_eq!(shortened("kurz"), "kurz");
        let long = shortened(&"ä".repeat(90));
        assert_eq!(long, format!("{}…", "ä".repeat(80)));
    }
}
