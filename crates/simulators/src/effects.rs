//! What can go wrong with one request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::{Deserialize, Serialize};

/// Whether the vendor has executed the request when the fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing was executed.
    #[default]
    BeforeWrite,
    /// The request was executed as if nothing were wrong.
    AfterWrite,
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// After the head, before the body is read.
    BeforeReading,
    /// After the body was read, before anything is executed.
    BeforeWrite,
    /// After the write, before the first byte of the answer.
    AfterWrite,
    /// In the middle of the answer's body.
    MidAnswer,
}

/// An answer put in place of the vendor's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; without one the vendor's documented body for this status.
    #[serde(default)]
    pub body: Option<String>,
    /// Headers beside `content-type`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether the write was executed before.
    #[serde(default)]
    pub when: When,
}

impl Answer {
    /// The vendor's own words for this status, nothing executed.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            body: None,
            headers: BTreeMap::new(),
            when: When::BeforeWrite,
        }
    }

    /// Executes the write first.
    #[must_use]
    pub fn after_write(self) -> Self {
        Self {
            when: When::AfterWrite,
            ..self
        }
    }

    /// With this body.
    #[must_use]
    pub fn body(self, body: impl Into<String>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// With `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", seconds.to_string())
    }

    /// With `Retry-After` as an HTTP date, which knows whole seconds only; a moment before the year 0 gets none.
    #[must_use]
    pub fn retry_at(self, at: Timestamp) -> Self {
        match DateTimePrinter::new().timestamp_to_rfc9110_string(&at) {
            Ok(date) => self.header("retry-after", date),
            Err(_) => self,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Another answer, such as a 429, a 503 or a 401.
    Answer(Answer),
    /// Nothing but time: the request waits so long, then goes on (to the next effect that matches, if any).
    Delay {
        /// Milliseconds.
        millis: u64,
    },
    /// The TCP connection is closed.
    Cut {
        /// Where.
        at: Cut,
    },
    /// The write is executed; 200 with bytes that are no JSON.
    Garbage,
    /// The write is executed; 200 with `{}`.
    EmptyObject,
    /// The write is executed; 200 with a page of HTML, as from a proxy.
    Html,
    /// The write is executed; 200 with a JSON object of about this size.
    Huge {
        /// Bytes.
        bytes: u64,
    },
    /// Nothing is executed; 307 to there.
    Redirect {
        /// The `location` header.
        location: String,
    },
    /// No answer ever, on an open connection.
    Hang {
        /// Whether the write was executed before.
        #[serde(default)]
        when: When,
    },
    /// The write is executed; the vendor's answer comes byte by byte.
    Drip {
        /// Milliseconds between two bytes.
        every_millis: u64,
    },
}
