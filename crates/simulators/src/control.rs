//! What a script may do with a simulator over HTTP, under `/__sim`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /__sim/health` | 204 |
//! | `GET /__sim/journal` | 200 `{"counts": …, "entries": […]}` |
//! | `GET /__sim/records` | 200 `[…]` |
//! | `POST /__sim/records` with `{"account": …, "body": …}` | 201 `{"id": …}` |
//! | `PATCH /__sim/records/{id}` with a merge patch in the vendor's words | 200 with the record, 404: an edit in the vendor's screen |
//! | `POST /__sim/records/{id}/archive` | 204, 404 |
//! | `DELETE /__sim/records/{id}` | 204, 404 |
//! | `GET /__sim/faults` | 200 `[…]`: what is still to come |
//! | `PUT /__sim/faults` with a list of [`crate::Fault`] | 204 |
//! | `DELETE /__sim/faults` | 204 |
//! | `PUT /__sim/hooks` with a list of [`crate::Hook`] | 204: who is told of changes from now on |
//! | `DELETE /__sim/hooks` | 204: nobody, and what is on its way is given up |
//! | `GET /__sim/hooks/journal` | 200 `{"counts": …, "entries": […]}` of [`crate::HookEntry`] |
//! | `GET /__sim/hooks/idle` | 204 when no event is on its way, else 202 `{"under_way": …}` |
//! | `PUT /__sim/rewrites` with `{"field": "upper", …}` ([`crate::Rewrite`]) | 204: stored otherwise than sent |
//! | `PUT /__sim/rewrites?silent=true` | 204: the same, and answers show what was sent |
//! | `POST /__sim/window` | 204: a new day of Rotor's rate limit |
//! | `POST /__sim/reset` | 204: no records, faults, journals; a new day; hooks and rewrites of the start |
//!
//! An event is a POST signed by Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`):
//! `{"id": …, "type": "customer.created" or "customer.updated", "version": …, "at": …, "record": …}`. It is sent when a
//! field of a record is other than before, by an API call, an edit or a seed.
//!
//! A body that does not fit is answered 400 with `{"error": …}`. None of it stands in the journal, and no fault strikes it.

use std::io;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::rewrites::Rewrites;
use crate::sim::Sim;

/// Where these paths begin.
pub const PREFIX: &str = "/__sim";

const FAULTS: &str = r#"a list of faults, such as [{"effect": {"kind": "answer", "status": 503}, "times": 2}]"#;
const HOOKS: &str = r#"a list of hooks, such as [{"url": "https://…", "secret": "whsec_…"}]"#;
const REWRITES: &str = r#"rewrites by the vendor's field, such as {"first_name": "upper"}"#;
const SEED: &str = r#"a record, such as {"account": "…", "body": {"phone": "+1…"}}"#;
const PATCH: &str = "an object with the fields to change, in the vendor's words";

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
        ("GET", ["records"]) => HttpResponse::Ok().json(sim.rules.records().select(|_| true)),
        ("POST", ["records"]) => match parsed::<Seed>(payload, SEED).await {
            Ok(seed) => HttpResponse::Created().json(json!({"id": sim.seed(&seed.account, seed.body)})),
            Err(refusal) => refusal,
        },
        ("PATCH", ["records", id]) => match parsed::<Map<String, Value>>(payload, PATCH).await {
            Ok(patch) => sim
                .edit(id, &patch)
                .map_or_else(|| done(false), |record| HttpResponse::Ok().json(record)),
            Err(refusal) => refusal,
        },
        ("POST", ["records", id, "archive"]) => done(sim.rules.records().archive(id)),
        ("DELETE", ["records", id]) => done(sim.rules.records().forget(id)),
        ("GET", ["faults"]) => HttpResponse::Ok().json(sim.faults.list()),
        ("PUT", ["faults"]) => match parsed::<Vec<Fault>>(payload, FAULTS).await {
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
        (method, ["hooks", rest @ ..]) => hooks(method, rest, payload, sim).await,
        ("PUT", ["rewrites"]) => match parsed(payload, REWRITES).await {
            Ok(fields) => {
                let silent = matches!(request.query_string(), "silent" | "silent=true");
                set(sim.rewrite(Rewrites { fields, silent }))
            }
            Err(refusal) => refusal,
        },
        ("POST", ["window"]) => {
            sim.rules.new_rate_window();
            done(true)
        }
        ("POST", ["reset"]) => {
            sim.reset();
            done(true)
        }
        _ => done(false),
    }
}

async fn hooks(method: &str, path: &[&str], payload: Payload, sim: &Sim) -> HttpResponse {
    match (method, path) {
        ("PUT", []) => match parsed(payload, HOOKS).await {
            Ok(hooks) => set(sim.hooks.set(hooks)),
            Err(refusal) => refusal,
        },
        ("DELETE", []) => {
            sim.hooks.clear();
            HttpResponse::NoContent().finish()
        }
        ("GET", ["journal"]) => {
            let body = json!({"counts": sim.hooks.counts(), "entries": sim.hooks.journal()});
            HttpResponse::Ok().json(body)
        }
        ("GET", ["idle"]) => match sim.hooks.under_way() {
            0 => HttpResponse::NoContent().finish(),
            under_way => HttpResponse::Accepted().json(json!({"under_way": under_way})),
        },
        _ => HttpResponse::NotFound().finish(),
    }
}

fn set(outcome: io::Result<()>) -> HttpResponse {
    match outcome {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(problem) => refused(&problem.to_string()),
    }
}

fn refused(problem: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": problem}))
}

async fn parsed<T: DeserializeOwned>(payload: Payload, wanted: &str) -> Result<T, HttpResponse> {
    let Ok(Ok(body)) = payload.to_bytes_limited(MOST_BODY).await else {
        return Err(refused("the body could not be read"));
    };
    serde_json::from_slice(&body).map_err(|error| refused(&format!("{error}; expected {wanted}")))
}
