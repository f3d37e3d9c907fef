//! Parts of pages that stay up to date by themselves: server-sent events, each with the part made anew.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::time::{Duration, timeout};

use crate::pulse::Snapshot;
use crate::refused::Refused;
use crate::sessions::SessionId;
use crate::visit::Visit;

/// Something is sent at least this often, so that whoever stands in between keeps the connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Sends `part` whenever the gateway was looked at anew and it says something else, until the browser or the server goes,
/// or the key does.
pub(crate) fn events<F>(visit: Visit, part: F) -> HttpResponse
where
    F: Fn(&Visit, &Snapshot) -> Result<String, Refused> + 'static,
{
    let watch = visit.desk.pulse.watch();
    let state = (visit, watch, part, String::new());
    let events = stream::unfold(state, |(visit, mut watch, part, last)| async move {
        loop {
            let changed = tokio::select! {
                () = visit.desk.stopping.cancelled() => return None,
                changed = timeout(SIGN_OF_LIFE, watch.changed()) => changed,
            };
            if !still_signed_in(&visit, visit.session) {
                return None;
            }
            let Ok(Ok(())) = changed else {
                let sign = Bytes::from_static(b": still here\n\n");
                return Some((Ok::<_, actix_web::Error>(sign), (visit, watch, part, last)));
            };
            let snapshot: Arc<Snapshot> = watch.borrow_and_update().clone();
            match part(&visit, &snapshot) {
                Ok(html) if html == last => {}
                Ok(html) => {
                    let event = Bytes::from(event("part", &html));
                    return Some((Ok(event), (visit, watch, part, html)));
                }
                Err(_) => return None,
            }
        }
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

fn still_signed_in(visit: &Visit, session: SessionId) -> bool {
    let key = visit.desk.sessions.key(session, false);
    key.is_some_and(|key| visit.desk.doors.still_open(&key).is_some())
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
