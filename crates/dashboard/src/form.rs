//! The forms that are posted here: read whole before a page sees them, in time and within a limit.

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, BytesMut, Data};
use futures_util::StreamExt as _;
use tokio::time::{Duration, timeout};

use crate::error::PageError;
use crate::state::Dashboard;

/// The most that a form may hold: a customer to plan with, its quotes escaped.
const MOST: usize = 256 * 1024;

/// Waits until the form is here. Actix has no time limit for bodies: without one, a trickle would hold the connection for
/// good, and nobody needs to have signed in for it.
///
/// # Errors
/// 408: it took too long; 413: it is too large; 400: it broke off.
pub(crate) async fn arrived(request: &mut ServiceRequest) -> Result<(), PageError> {
    if request.method().is_safe() {
        return Ok(());
    }
    let Some(dashboard) = request.app_data::<Data<Dashboard>>().cloned() else {
        return Ok(());
    };
    let form = in_time(dashboard.parts.form_timeout, request.take_payload()).await?;
    request.set_payload(Payload::from(form));
    Ok(())
}

async fn in_time(longest: Duration, payload: Payload) -> Result<Bytes, PageError> {
    timeout(longest, read(payload))
        .await
        .map_err(|_| PageError::new(StatusCode::REQUEST_TIMEOUT, "the form took too long to arrive"))?
}

async fn read(mut payload: Payload) -> Result<Bytes, PageError> {
    let mut form = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| PageError::unreadable("the form broke off"))?;
        if form.len() + chunk.len() > MOST {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(PageError::new(status, what_is_wrong(status)));
        }
        form.extend_from_slice(&chunk);
    }
    Ok(form.freeze())
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
        let read = in_time(Duration::from_secs(10), Payload::Stream { payload }).await;
        read.err().map(|refused| refused.status)
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
