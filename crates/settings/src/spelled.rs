//! How values are written in the dump of the effective configuration.

use std::time::Duration;

use serde::Serializer;
use url::Url;

/// `10s`, `1m 30s`.
pub(crate) fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn maybe_duration<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => duration(value, serializer),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn url<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_str())
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn maybe_url<S: Serializer>(value: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => url(value, serializer),
        None => serializer.serialize_none(),
    }
}
