//! `ping`: how a sender's test call is told from an event.

use upsert_webhook::Ping;

use crate::conditions::conditions;
use crate::members::Member;
use crate::section::{Section, Spot};

pub(crate) const MEMBERS: &[Member] = &[Member::optional("when"), Member::optional("content_type")];

pub(crate) fn read(section: &Section<'_>) -> Option<Ping> {
    match (section.given("when"), section.given("content_type")) {
        (Some(when), None) => {
            let read = conditions(&when)?;
            if read.0.is_empty() {
                return when.refuse("must not be empty: every event would be a test call");
            }
            Some(Ping::When(read))
        }
        (None, Some(kind)) => media_type(&kind).map(Ping::ContentType),
        _ => section.spot.refuse("`ping` has either `when` or `content_type`"),
    }
}

/// Without parameters, in small letters. JSON is what events are.
fn media_type(spot: &Spot<'_>) -> Option<String> {
    let written = spot.line()?.to_ascii_lowercase();
    let is_token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-+._!#$&^".contains(&byte))
    };
    match written.split_once('/') {
        Some((_, "json")) => spot.refuse("events are JSON: every event would be a test call"),
        Some((_, sub)) if sub.ends_with("+json") => spot.refuse("events are JSON: every event would be a test call"),
        Some((kind, sub)) if is_token(kind) && is_token(sub) => Some(written),
        _ => spot.refuse_but(
            "not a media type",
            "without parameters, such as \"application/x-www-form-urlencoded\"",
        ),
    }
}
