//! `[retention]`: how long what has ended is kept.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::members::Member;
use crate::section::{Section, Spot, all_or_none};
use crate::tree::Shape;

pub(crate) const MEMBERS: &[Member] = &[
    Member::or("history", "\"forever\""),
    Member::or("upserts", "\"90d\""),
    Member::or("attempts", "\"30d\""),
    Member::or("audit", "\"forever\""),
];

const DAY: Duration = Duration::from_hours(24);
const FOREVER: &str = "forever";

/// How long what has ended is kept; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Versions of customers.
    #[serde(serialize_with = "length")]
    pub history: Option<Duration>,
    /// Upserts that have ended, with their deliveries and attempts.
    #[serde(serialize_with = "length")]
    pub upserts: Option<Duration>,
    /// Their attempts, with what went out and what was answered.
    #[serde(serialize_with = "length")]
    pub attempts: Option<Duration>,
    /// Entries of the audit trail.
    #[serde(serialize_with = "length")]
    pub audit: Option<Duration>,
}

impl Retention {
    /// Whoever comes again with an idempotency key is told of its upsert, so that is kept for as long as the key at least.
    pub(crate) fn read(section: &Section<'_>, idempotency_keep: Option<Duration>) -> Option<Self> {
        let history = section.read("history", keep);
        let upserts = section.read("upserts", keep);
        if let (Some(history), Some(upserts)) = (history, upserts)
            && history < upserts
        {
            let spot = section.given("history").unwrap_or_else(|| section.spot.clone());
            spot.refuse_but::<()>(
                "history goes with its upserts: it cannot be kept for a shorter time than `upserts`",
                "the same length or a longer one",
            );
        }
        if let (Some(upserts), Some(idempotency_keep)) = (upserts, idempotency_keep)
            && upserts < Keep::For(idempotency_keep)
        {
            let spot = section.given("upserts").unwrap_or_else(|| section.spot.clone());
            spot.refuse::<()>("must be as long as `server.idempotency_keep`, or longer");
        }
        all_or_none!(Self {
            history: history.map(Keep::length),
            upserts: upserts.map(Keep::length),
            attempts: section.read("attempts", keep).map(Keep::length),
            audit: section.read("audit", keep).map(Keep::length),
        })
    }
}

/// As it is written; for ever is longer than any length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Keep {
    For(Duration),
    Forever,
}

impl Keep {
    const fn length(self) -> Option<Duration> {
        match self {
            Self::For(keep) => Some(keep),
            Self::Forever => None,
        }
    }
}

/// A length of time from a day on, or for ever.
fn keep(spot: &Spot<'_>) -> Option<Keep> {
    if matches!(&spot.node.shape, Shape::Text(text) if text == FOREVER) {
        return Some(Keep::Forever);
    }
    let keep = spot.duration(DAY * 366 * 100)?;
    if keep < DAY {
        return spot.refuse_but("must be a day or longer", "such as \"90d\", or \"forever\"");
    }
    Some(Keep::For(keep))
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the member")]
fn length<S: Serializer>(keep: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match keep {
        // Months and years are not told as such: nobody wrote them.
        Some(keep) if keep.as_secs() % DAY.as_secs() == 0 => {
            serializer.collect_str(&format_args!("{}d", keep.as_secs() / DAY.as_secs()))
        }
        Some(keep) => serializer.collect_str(&humantime::format_duration(*keep)),
        None => serializer.serialize_str(FOREVER),
    }
}
