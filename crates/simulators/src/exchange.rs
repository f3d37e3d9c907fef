//! One request on its way: journal, fault, the vendor's rules, answer.

use std::future::pending;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::effects::{Answer, Cut, Effect, When};
use crate::hooks::{By, Held};
use crate::journal::{Answered, Line};
use crate::sim::Sim;
use crate::wire::{Call, Reply};
use crate::{broken, control};

/// Larger bodies than any page allows for; more is answered 413.
const MOST_BODY: usize = 8 * 1024 * 1024;

const GARBAGE: &str = "\u{1}{\"id\": not json";
const HTML: &str = "<!doctype html><html><head><title>Gateway</title></head><body><h1>OK</h1></body></html>";

/// Answers every request of a simulator.
pub(crate) async fn serve(request: HttpRequest, payload: Payload, sim: web::Data<Sim>) -> HttpResponse {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    if path.starts_with(control::PREFIX) {
        return control::serve(&request, payload, &sim).await;
    }
    let line = sim.journal.open(|| describe(&request, path));
    let drawn = sim.faults.draw(request.method().as_str(), path);
    if let Some(effect) = &drawn.effect {
        line.fault(effect);
    }
    if drawn.effect == Some(Effect::Cut { at: Cut::BeforeReading }) {
        return cut(line, Cut::BeforeReading);
    }
    let body = match payload.to_bytes_limited(MOST_BODY).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return plain(&sim, line, StatusCode::BAD_REQUEST),
        Err(_) => return plain(&sim, line, StatusCode::PAYLOAD_TOO_LARGE),
    };
    line.body(&body);
    if !drawn.delay.is_zero() {
        tokio::time::sleep(drawn.delay).await;
    }
    answer(&request, body, &sim, line, drawn.effect).await
}

async fn answer(request: &HttpRequest, body: Bytes, sim: &Sim, line: Line<'_>, effect: Option<Effect>) -> HttpResponse {
    match effect {
        Some(Effect::Cut {
            at: at @ (Cut::BeforeReading | Cut::BeforeWrite),
        }) => return cut(line, at),
        Some(Effect::Hang {
            when: When::BeforeWrite,
        }) => return pending().await,
        Some(Effect::Redirect { location }) => return redirect(line, &location),
        Some(Effect::Answer(answer)) if answer.when == When::BeforeWrite => return instead(sim, line, answer),
        _ => {}
    }
    let call = Call::new(request, sim.rules.prefix(), body, sim.rewrites.now());
    let reply = sim.rules.answer(&call).await;
    let held = reply.written.as_ref().map(|written| {
        line.wrote(&written.note());
        sim.tell(written, By::Api)
    });
    match effect {
        None => before(held, whole(line, reply)),
        Some(Effect::Hang { .. }) => {
            // No answer will ever come that its events could wait for.
            drop(held);
            pending().await
        }
        Some(effect) => before(held, spoilt(sim, line, reply, effect)),
    }
}

/// Keeps events back until the answer is out.
fn before(held: Option<Held>, response: HttpResponse) -> HttpResponse {
    match held.filter(|held| !held.is_empty()) {
        Some(held) => response.map_body(|_, body| broken::then(body, held)),
        None => response,
    }
}

/// The vendor has done its work; this is what the caller sees of it.
fn spoilt(sim: &Sim, line: Line<'_>, reply: Reply, effect: Effect) -> HttpResponse {
    let status = status_of(reply.status);
    match effect {
        Effect::Cut { at: Cut::MidAnswer } => {
            line.finish(|| Answered::Cut { at: Cut::MidAnswer });
            broken::cut_in_the_middle(status, &reply.body)
        }
        Effect::Cut { at } => cut(line, at),
        Effect::Answer(answer) => instead(sim, line, answer),
        Effect::Drip { every_millis } => {
            let response = broken::drip(status, &reply.body, Duration::from_millis(every_millis));
            note(line, reply.status, reply.body);
            response
        }
        Effect::Garbage => wrong(line, "application/json", GARBAGE),
        Effect::EmptyObject => wrong(line, "application/json", "{}"),
        Effect::Html => wrong(line, "text/html; charset=utf-8", HTML),
        Effect::Huge { bytes } => {
            note(line, 200, String::new());
            broken::huge(bytes)
        }
        // A delay is no effect of its own, and neither a redirect nor a request that hangs gets here.
        Effect::Delay { .. } | Effect::Redirect { .. } | Effect::Hang { .. } => whole(line, reply),
    }
}

fn describe(request: &HttpRequest, path: &str) -> (String, String, Vec<(String, String)>) {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect();
    (request.method().to_string(), path.to_owned(), headers)
}

fn whole(line: Line<'_>, reply: Reply) -> HttpResponse {
    line.finish(|| Answered::Status {
        status: reply.status,
        body: reply.body.clone(),
    });
    broken::json(status_of(reply.status), reply.body)
}

/// The vendor's own words for a status.
fn plain(sim: &Sim, line: Line<'_>, status: StatusCode) -> HttpResponse {
    whole(line, Reply::json(status.as_u16(), &sim.rules.error(status.as_u16())))
}

fn instead(sim: &Sim, line: Line<'_>, answer: Answer) -> HttpResponse {
    let mut names = answer.headers.keys();
    let names_a_wait = names.any(|name| name.eq_ignore_ascii_case("retry-after"));
    let body = answer.body.unwrap_or_else(|| match (answer.status, names_a_wait) {
        (429, true) => sim.rules.slow_down().to_string(),
        (status, _) => sim.rules.error(status).to_string(),
    });
    note(line, answer.status, body.clone());
    let mut response = HttpResponse::build(status_of(answer.status));
    response.content_type("application/json; charset=utf-8");
    for header in answer.headers {
        response.insert_header(header);
    }
    response.body(body)
}

fn redirect(line: Line<'_>, location: &str) -> HttpResponse {
    note(line, 307, String::new());
    HttpResponse::TemporaryRedirect()
        .insert_header(("location", location))
        .finish()
}

fn wrong(line: Line<'_>, content_type: &'static str, body: &'static str) -> HttpResponse {
    note(line, 200, body.to_owned());
    broken::wrong(content_type, body)
}

fn cut(line: Line<'_>, at: Cut) -> HttpResponse {
    line.finish(|| Answered::Cut { at });
    broken::cut()
}

fn note(line: Line<'_>, status: u16, body: String) {
    line.finish(|| Answered::Status { status, body });
}

/// A fault may ask for a number that is no HTTP status.
fn status_of(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
