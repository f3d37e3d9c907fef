//! What every answer below `/ops` carries. Scripts and styles are files of ours; nothing stands in the page itself, and
//! nothing comes from elsewhere.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
const ALONE: HeaderValue = HeaderValue::from_static("same-origin");

/// Adds what is not there.
pub(crate) fn secure(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, ALONE);
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), ALONE);
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), ALONE);
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
