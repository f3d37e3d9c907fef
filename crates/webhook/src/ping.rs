//! How a sender's test call is told from an event.

use serde::Serialize;
use serde_json::Value as Json;

use crate::mapping::Conditions;

/// How a sender's test call is told from an event. It is answered 200, and nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ping {
    /// It is signed, and these hold of its whole.
    When(Conditions),
    /// It has this media type, which no event has. Senders do not sign such calls, so its signature is not asked for.
    ContentType(String),
}

impl Ping {
    /// Whether the media type alone says so: `content_type` is the header as it came.
    pub fn is_of_type(&self, content_type: &str) -> bool {
        let Self::ContentType(wanted) = self else {
            return false;
        };
        let kind = content_type.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(wanted)
    }

    /// Whether what is said in it, which has to be signed, says so.
    pub fn is_said_by(&self, event: &Json) -> bool {
        matches!(self, Self::When(conditions) if conditions.hold_of(event))
    }
}
