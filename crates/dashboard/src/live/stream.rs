//! Parts of pages that stay up to date by themselves: server-sent events, each with the part made anew.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::time::{Duration, timeout};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::live::places::Full;
use crate::live::snapshots::Snapshot;
use crate::mount;

/// Something is sent at least this often, so that whoever stands in between keeps the connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Sends `part` whenever the gateway was looked at anew and it says something else, and that it still holds where it does not,
/// until the browser or the server goes, or the key does.
///
/// # Errors
/// 429: this key has as many as it may; 503: as many as may be are.
pub(crate) fn events<F>(session: Session, part: F) -> Result<HttpResponse, PageError>
where
    F: Fn(&Session, &Snapshot) -> Result<String, PageError> + 'static,
{
    let places = &session.dashboard.live_places;
    let place = places.take(session.principal.key_hash).map_err(|full| {
        let (status, whose) = match full {
            Full::All => (StatusCode::SERVICE_UNAVAILABLE, "pages"),
            Full::OfKey => (StatusCode::TOO_MANY_REQUESTS, "pages of your key"),
        };
        let says = format!("too many {whose} are kept up to date already: reload this one to see how things are now");
        PageError::new(status, says)
    })?;
    let watch = session.dashboard.snapshots.watch();
    let state = (session, watch, part, String::new(), place);
    let events = stream::unfold(state, |(session, mut watch, part, last, place)| async move {
        let changed = tokio::select! {
            () = session.dashboard.parts.stopping.cancelled() => return None,
            () = session.is_shut_out() => return None,
            changed = timeout(SIGN_OF_LIFE, watch.changed()) => changed,
        };
        // What its key may see can have changed while it lay open.
        let session = session.renewed().await.ok().flatten()?;
        let Ok(Ok(())) = changed else {
            let sign = Bytes::from_static(b": still here\n\n");
            return Some((Ok::<_, actix_web::Error>(sign), (session, watch, part, last, place)));
        };
        let snapshot: Arc<Snapshot> = watch.borrow_and_update().clone();
        let html = part(&session, &snapshot).ok()?;
        // What is looked at anew and shows nothing new is not sent, but that it still holds: a page without news would take
        // itself for old.
        let told = if html == last {
            event("still", "so")
        } else {
            event("part", &mount::links(&html, &session.base))
        };
        Some((Ok(Bytes::from(told)), (session, watch, part, html, place)))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

fn event(name: &str, html: &str) -> String {
    let mut event = format!("event: {name}\n");
    for line in html.lines() {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_part_is_a_line_of_its_event() {
        assert_eq!(event("part", "<p>\na</p>"), "event: part\ndata: <p>\ndata: a</p>\n\n");
    }
}
