//! The forms that are posted here: read whole before a page sees them, in time and within a limit.

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Data};
use futures_util::StreamExt as _;
use tokio::time::{Duration, timeout};

use crate::error::PageError;
use crate::state::Dashboard;

/// The most that a form may hold: a customer to plan with, its quotes escaped.
const MOST: usize = 256 * 1024;
/// The same of somebody who has not signed in: a key, and where to go then.
const MOST_OF_A_STRANGER: usize = 4 * 1024;

/// Waits until the form is here. Actix has no time limit for bodies: without one, a trickle would hold the connection for
/// good, and nobody needs to have signed in for it. What its head says is judged before anything is read.
///
/// # Errors
/// 408: it took too long; 413: it is too large; 415: it is no form; 400: it broke off.
pub(crate) async fn arrived(request: &mut ServiceRequest, has_signed_in: bool) -> Result<(), PageError> {
    if request.method().is_safe() {
        return Ok(());
    }
    let Some(dashboard) = request.app_data::<Data<Dashboard>>().cloned() else {
        return Ok(());
    };
    let most = if has_signed_in { MOST } else { MOST_OF_A_STRANGER };
    judged(request.headers(), most)?;
    let form = in_time(dashboard.parts.form_timeout, most, request.take_payload()).await?;
    request.set_payload(Payload::from(form));
    Ok(())
}

/// A body that is announced has to be a form, and no longer than it may be.
fn judged(headers: &HeaderMap, most: usize) -> Result<(), PageError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let announced = text(header::CONTENT_LENGTH).map_or(0, |length| length.parse().unwrap_or(usize::MAX));
    if announced > most {
        return Err(refused(StatusCode::PAYLOAD_TOO_LARGE));
    }
    // What is small with a coding may be anything without it.
    let coding = text(header::CONTENT_ENCODING).unwrap_or_default().trim();
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
        return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let has_body = announced > 0 || headers.contains_key(header::TRANSFER_ENCODING);
    let media = text(header::CONTENT_TYPE).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if has_body && !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    Ok(())
}

async fn in_time(longest: Duration, most: usize, payload: Payload) -> Result<Bytes, PageError> {
    timeout(longest, read(most, payload))
        .await
        .map_err(|_| PageError::new(StatusCode::REQUEST_TIMEOUT, "the form took too long to arrive"))?
}

async fn read(most: usize, mut payload: Payload) -> Result<Bytes, PageError> {
    let mut form = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| PageError::unreadable("the form broke off"))?;
        if form.len() + chunk.len() > most {
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE));
        }
        form.extend_from_slice(&chunk);
    }
    Ok(form.freeze())
}

fn refused(status: StatusCode) -> PageError {
    PageError::new(status, what_is_wrong(status))
}

/// What a status means that the web framework gives by itself.
pub(crate) fn what_is_wrong(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "the form or the address cannot be read: something is missing, stands there twice, or is no text"
        }
        StatusCode::NOT_FOUND => "there is no such page",
        StatusCode::PAYLOAD_TOO_LARGE => "this is more than a form may hold",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "only forms are taken here: `application/x-www-form-urlencoded`",
        _ => "this cannot be shown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::error::PayloadError;
    use futures_util::stream;

    async fn refused_with(payload: Vec<Bytes>, ends: bool) -> Option<StatusCode> {
        let sent = stream::iter(payload.into_iter().map(Ok::<_, PayloadError>));
        let payload = if ends {
            sent.boxed_local()
        } else {
            sent.chain(stream::pending()).boxed_local()
        };
        let read = in_time(Duration::from_secs(10), MOST, Payload::Stream { payload }).await;
        read.err().map(|refused| refused.status)
    }

    fn judged_as(most: usize, pairs: &[(&'static str, &'static str)]) -> Option<StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(
                header::HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            );
        }
        judged(&headers, most).err().map(|refused| refused.status)
    }

    #[test]
    fn what_its_head_says_is_judged_before_a_form_is_read() {
        let (form, long, odd) = (
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("content-length", "4097"),
            ("content-type", "application/json"),
        );
        let (too_large, no_form) = (StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        for (pairs, wanted) in [
            (&[form, ("content-length", "4096")][..], None),
            (&[form, long], Some(too_large)),
            (&[form, ("content-length", "99999999999999999999999")], Some(too_large)),
            (&[form, ("transfer-encoding", "chunked")], None),
            (&[odd, ("transfer-encoding", "chunked")], Some(no_form)),
            (&[odd, ("content-length", "1")], Some(no_form)),
            (&[("content-length", "1")], Some(no_form)),
            (&[("content-length", "0")], None),
            (&[form, ("content-encoding", "gzip")], Some(no_form)),
            (&[form, ("content-encoding", "identity")], None),
            (&[], None),
        ] {
            assert_eq!(judged_as(MOST_OF_A_STRANGER, pairs), wanted, "{pairs:?}");
        }
        assert_eq!(judged_as(MOST, &[form, long]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_has_to_arrive_in_time_and_within_the_limit() {
        let half = Bytes::from(vec![b'a'; MOST / 2]);
        assert_eq!(refused_with(vec![half.clone(), half.clone()], true).await, None);
        let too_much = refused_with(vec![half.clone(), half.clone(), half.slice(..1)], true).await;
        assert_eq!(too_much, Some(StatusCode::PAYLOAD_TOO_LARGE));
        let never = refused_with(vec![half], false).await;
        assert_eq!(never, Some(StatusCode::REQUEST_TIMEOUT));
    }
}
