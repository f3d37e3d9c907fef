//! What can go wrong with a call: its kind, what it means for the vendor's record, and whether to try again.

use crate::word::Word as _;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorKind {
    /// The vendor refuses the data.
    Rejected,
    /// The vendor refuses the credentials.
    Unauthorised,
    /// Too many calls for now.
    RateLimited,
    /// The day's calls are used up.
    QuotaSpent,
    /// It may work later.
    Transient,
    /// The vendor's answer cannot be what its pages promise.
    BrokenContract,
}

/// What the call may have done to the vendor's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum StateAtVendor {
    /// Nothing was changed.
    Unchanged,
    /// Nobody can tell.
    Unknown,
}

/// What the failure itself says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAdvice {
    /// The same request will fail again.
    Never,
    /// Once more, then never (a race at the vendor).
    Once,
    /// After a growing delay.
    Backoff,
    /// Not before this much time has passed.
    After(Duration),
}

/// Why a delivery is not to be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WaitingFor {
    /// The connection is paused.
    Paused,
    /// The day's calls are used up.
    Quota,
    /// The vendor or our own limit asks to wait.
    RateLimit,
    /// The circuit breaker is open.
    Breaker,
    /// An earlier delivery of the same customer to the same connection.
    Predecessor,
}

/// The whole connection has to wait, not only this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What for.
    pub waiting_for: WaitingFor,
    /// How long from now, as far as is known; none: until somebody or something releases it.
    pub for_at_least: Option<Duration>,
}

/// Until when a vendor wants no calls of a connection, by its own word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorBlocks {
    /// It was asked to slow down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_until: Option<Timestamp>,
    /// The day's calls are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_until: Option<Timestamp>,
}

impl VendorBlocks {
    /// Whether it said nothing of waiting.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The later word of each kind.
    #[must_use]
    pub fn or_later(self, other: Self) -> Self {
        Self {
            throttled_until: self.throttled_until.max(other.throttled_until),
            spent_until: self.spent_until.max(other.spent_until),
        }
    }
}

/// A field that the vendor complains of.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Pointer of our field, if it can be told.
    pub pointer: Option<String>,
    /// The vendor's own name of it.
    pub vendor_field: String,
    /// The vendor's words; they may repeat a value.
    pub detail: String,
}

/// Leaves the vendor's words out: they may repeat a value.
impl fmt::Debug for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldError({:?} -> {:?})", self.vendor_field, self.pointer)
    }
}

/// A call that did not end well.
pub struct ProviderError {
    /// What it means.
    pub kind: ErrorKind,
    /// What it may have done.
    pub state: StateAtVendor,
    /// Whether to try again.
    pub advice: RetryAdvice,
    /// Set by a layer that let nothing through, or where the vendor tells the whole connection to wait.
    pub held: Option<Held>,
    /// Whether anything was handed to the network. A call that was not sent is no attempt.
    pub sent: bool,
    /// The vendor's code.
    pub code: Option<String>,
    /// A sentence for the caller; it may hold the vendor's words and so never goes to a log.
    pub detail: String,
    /// The HTTP status, where there was one.
    pub vendor_status: Option<u16>,
    /// The vendor's id of the call.
    pub vendor_request_id: Option<String>,
    /// Fields that the vendor complains of.
    pub errors: Vec<FieldError>,
    /// Headers of the answer that say more of a failure, by their names in lower case.
    pub vendor_headers: BTreeMap<String, String>,
    /// The vendor's own document beside our reading of it; a text where it is no JSON or too long.
    pub vendor_body: Option<Json>,
    /// The number of calls a day that the vendor's words name as its limit.
    pub daily_limit: Option<NonZeroU32>,
    /// What operators need to know; free of personal data.
    pub context: String,
    /// What lies beneath.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl ProviderError {
    /// An error of this kind; the rest is filled in by the methods below.
    pub fn new(kind: ErrorKind, state: StateAtVendor, advice: RetryAdvice, detail: impl Into<String>) -> Self {
        Self {
            kind,
            state,
            advice,
            held: None,
            sent: true,
            code: None,
            detail: detail.into(),
            vendor_status: None,
            vendor_request_id: None,
            errors: Vec::new(),
            vendor_headers: BTreeMap::new(),
            vendor_body: None,
            daily_limit: None,
            context: String::new(),
            source: None,
        }
    }

    /// A layer let nothing through: the connection waits.
    pub fn held(waiting_for: WaitingFor, for_at_least: Option<Duration>, detail: impl Into<String>) -> Self {
        let kind = match waiting_for {
            WaitingFor::Paused => ErrorKind::Unauthorised,
            WaitingFor::Quota => ErrorKind::QuotaSpent,
            WaitingFor::RateLimit => ErrorKind::RateLimited,
            WaitingFor::Breaker | WaitingFor::Predecessor => ErrorKind::Transient,
        };
        let advice = for_at_least.map_or(RetryAdvice::Backoff, RetryAdvice::After);
        let mut error = Self::new(kind, StateAtVendor::Unchanged, advice, detail);
        error.held = Some(Held {
            waiting_for,
            for_at_least,
        });
        error.sent = false;
        error
    }

    /// Adds the vendor's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds what operators need to know; it must be free of personal data.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = context.into();
        self
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.as_str())?;
        if let Some(status) = self.vendor_status {
            write!(f, " (status {status})")?;
        }
        if !self.context.is_empty() {
            write!(f, ": {}", self.context)?;
        }
        Ok(())
    }
}

/// Leaves `detail` and the vendor's words out: they may repeat a value.
impl fmt::Debug for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderError")
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("advice", &self.advice)
            .field("held", &self.held)
            .field("sent", &self.sent)
            .field("vendor_status", &self.vendor_status)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_and_what_is_waited_for_are_called_alike_in_json_and_in_labels() {
        for kind in ErrorKind::ALL {
            assert_eq!(json!(kind), kind.as_str());
        }
        for waiting_for in WaitingFor::ALL {
            assert_eq!(json!(waiting_for), waiting_for.as_str());
        }
    }

    #[test]
    fn what_a_layer_held_back_was_not_sent_and_changed_nothing() {
        let wait = Duration::from_secs(60);
        for (waiting_for, kind) in [
            (WaitingFor::Paused, ErrorKind::Unauthorised),
            (WaitingFor::Quota, ErrorKind::QuotaSpent),
            (WaitingFor::RateLimit, ErrorKind::RateLimited),
            (WaitingFor::Breaker, ErrorKind::Transient),
            (WaitingFor::Predecessor, ErrorKind::Transient),
        ] {
            let error = ProviderError::held(waiting_for, Some(wait), "waits");
            assert_eq!(
                (error.kind, error.state, error.sent),
                (kind, StateAtVendor::Unchanged, false)
            );
            assert_eq!(error.advice, RetryAdvice::After(wait));
            let held = Held {
                waiting_for,
                for_at_least: Some(wait),
            };
            assert_eq!(error.held, Some(held));
        }
        let open = ProviderError::held(WaitingFor::Paused, None, "waits");
        assert_eq!(open.advice, RetryAdvice::Backoff);
    }

    #[test]
    fn what_is_known_of_an_error_is_added_to_it() {
        let error = ProviderError::new(ErrorKind::Rejected, StateAtVendor::Unchanged, RetryAdvice::Never, "no");
        assert!(error.sent && error.source().is_none());
        let mut error = error.with_code("C-1").with_context("of the vendor");
        error.vendor_status = Some(422);
        error.source = Some("beneath".into());
        assert_eq!(error.code.as_deref(), Some("C-1"));
        assert_eq!(error.to_string(), "rejected (status 422): of the vendor");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("beneath"));
    }
}
