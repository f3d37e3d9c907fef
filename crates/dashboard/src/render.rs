//! From templates to pages.

use std::fmt::Display;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use jiff::{SignedDuration, Timestamp};
use strum::{IntoStaticStr, VariantArray};

use upsert_app::Notice;

use crate::error::PageError;

/// The parts of the dashboard, as the navigation lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub(crate) enum Section {
    Overview,
    Connections,
    Incidents,
    Deliveries,
    Customers,
    Plan,
    Webhooks,
    Audit,
    Configuration,
}

impl Section {
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    pub(crate) fn path(self) -> String {
        match self {
            Self::Overview => "/ops".to_owned(),
            other => format!("/ops/{}", other.name().to_ascii_lowercase()),
        }
    }
}

/// What stands around a page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) section: Section,
    pub(crate) title: String,
    /// The key's name.
    pub(crate) principal: String,
    /// Whether there are buttons.
    pub(crate) may_operate: bool,
    /// Whether personal data is shown.
    pub(crate) sees_people: bool,
    pub(crate) notice: Option<Notice>,
}

impl Frame {
    #[expect(clippy::unused_self, reason = "templates know methods alone")]
    pub(crate) fn sections(&self) -> &'static [Section] {
        Section::VARIANTS
    }

    /// Stands in the addresses of scripts and styles, so that browsers keep them no longer than they are true.
    #[expect(clippy::unused_self, reason = "templates know methods alone")]
    pub(crate) fn version(&self) -> &'static str {
        VERSION
    }
}

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// 200.
pub(crate) fn page(template: &impl Template) -> Result<HttpResponse, PageError> {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Result<HttpResponse, PageError> {
    let html = template.render()?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(html))
}

/// A moment for people, to the second, in UTC: `2026-11-21 12:04:31`.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long something took or has lasted, in its two largest units: `3 h 12 min`.
pub(crate) fn lasting(seconds: i64) -> String {
    let (s, m, h, d) = (seconds % 60, seconds / 60 % 60, seconds / 3_600 % 24, seconds / 86_400);
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3_600 => format!("{m} min {s} s"),
        3_600..86_400 => format!("{h} h {m} min"),
        _ => format!("{d} d {h} h"),
    }
}

/// How far two moments are apart, whichever is first.
pub(crate) fn apart(one: Timestamp, other: Timestamp) -> String {
    let between: SignedDuration = one.duration_since(other).abs();
    lasting(between.as_secs())
}

/// A count with thin gaps: `12 345`.
pub(crate) fn count(number: impl Display) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// How values are written in templates.
#[expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    clippy::trivially_copy_pass_by_ref,
    reason = "that is how the templates' macro wants and makes them"
)]
pub(crate) mod filters {
    use std::fmt::Display;

    use askama::{Result, Values};
    use jiff::Timestamp;

    /// `in_flight` as `in flight`.
    #[askama::filter_fn]
    pub(crate) fn words(word: impl Display, _: &dyn Values) -> Result<String> {
        Ok(word.to_string().replace('_', " "))
    }

    /// With thin gaps.
    #[askama::filter_fn]
    pub(crate) fn count(number: impl Display, _: &dyn Values) -> Result<String> {
        Ok(super::count(number))
    }

    /// Seconds, for people.
    #[askama::filter_fn]
    pub(crate) fn lasting(seconds: &i64, _: &dyn Values) -> Result<String> {
        Ok(super::lasting(*seconds))
    }

    /// A moment, for people.
    #[askama::filter_fn]
    pub(crate) fn moment(at: &Timestamp, _: &dyn Values) -> Result<String> {
        Ok(super::moment(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_counts_read_well() {
        let shown: Vec<String> = [0, 59, 61, 3_661, 90_000].into_iter().map(lasting).collect();
        assert_eq!(shown, ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(moment(Timestamp::UNIX_EPOCH), "1970-01-01 00:00:00");
    }
}
