//! What a script may do with a simulator over HTTP, under `/__sim`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /__sim/health` | 204 |
//! | `GET /__sim/journal` | 200 `{"counts": …, "entries": […]}` |
//! | `GET /__sim/records` | 200 `[…]` |
//! | `POST /__sim/records` with `{"account": …, "body": …}` | 201 `{"id": …}` |
//! | `POST /__sim/records/{id}/archive` | 204, 404 |
//! | `DELETE /__sim/records/{id}` | 204, 404 |
//! | `GET /__sim/faults` | 200 `[…]`: what is still to come |
//! | `PUT /__sim/faults` with a list of [`crate::Fault`] | 204 |
//! | `DELETE /__sim/faults` | 204 |
//! | `POST /__sim/window` | 204: a new day of Rotor's rate limit |
//! | `POST /__sim/reset` | 204: no records, faults, journal; a new day |
//!
//! A body that does not fit is answered 400 with `{"error": …}`. None of it stands in the journal, and no fault strikes it.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::server::Sim;

/// Where these paths begin.
pub const PREFIX: &str = "/__sim";

const MOST_BODY: usize = 16 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    account: String,
    body: Map<String, Value>,
}

pub(crate) async fn serve(request: &HttpRequest, payload: Payload, sim: &Sim) -> HttpResponse {
    let path = request.uri().path().trim_start_matches(PREFIX);
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let done = |done: bool| {
        if done {
            HttpResponse::NoContent().finish()
        } else {
            HttpResponse::NotFound().finish()
        }
    };
    match (request.method().as_str(), path.as_slice()) {
        ("GET", ["health"]) => done(true),
        ("GET", ["journal"]) => {
            let body = json!({"counts": sim.journal.counts(), "entries": sim.journal.entries()});
            HttpResponse::Ok().json(body)
        }
        ("GET", ["records"]) => HttpResponse::Ok().json(sim.desk.records().select(|_| true)),
        ("POST", ["records"]) => match parsed::<Seed>(payload).await {
            Ok(seed) => HttpResponse::Created().json(json!({"id": sim.desk.seed(&seed.account, seed.body)})),
            Err(refusal) => refusal,
        },
        ("POST", ["records", id, "archive"]) => done(sim.desk.records().archive(id)),
        ("DELETE", ["records", id]) => done(sim.desk.records().forget(id)),
        ("GET", ["faults"]) => HttpResponse::Ok().json(sim.faults.list()),
        ("PUT", ["faults"]) => match parsed::<Vec<Fault>>(payload).await {
            Ok(faults) => {
                sim.faults.set(faults);
                done(true)
            }
            Err(refusal) => refusal,
        },
        ("DELETE", ["faults"]) => {
            sim.faults.clear();
            done(true)
        }
        ("POST", ["window"]) => {
            sim.desk.new_rate_window();
            done(true)
        }
        ("POST", ["reset"]) => {
            sim.reset();
            done(true)
        }
        _ => done(false),
    }
}

async fn parsed<T: DeserializeOwned>(payload: Payload) -> Result<T, HttpResponse> {
    let refusal = |problem: &str| HttpResponse::BadRequest().json(json!({"error": problem}));
    let Ok(Ok(body)) = payload.to_bytes_limited(MOST_BODY).await else {
        return Err(refusal("the body could not be read"));
    };
    serde_json::from_slice(&body).map_err(|error| refusal(&error.to_string()))
}
