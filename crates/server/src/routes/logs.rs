//! What is logged: `/v1/logs`.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get, put};
use jiff::SignedDuration;
use serde_json::Value as Json;

use upsert_api::{AuditAction, Logs, LogsChange};
use upsert_app::{Act, Refusal};
use upsert_core::Problem as Wrong;
use upsert_settings::parse_duration;

use crate::http::access::{Access, Administer, AdministerAll};
use crate::http::body::JsonBody;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::routes::reply;
use crate::state::State;
use crate::telemetry::log_directives::{self, TelemetryError};
use crate::telemetry::log_filter::{self, ForAWhile};

/// What is logged.
///
/// Scope: `admin`.
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "The filter in force", body = Logs),
        (status = 404, description = "`not_found`: the process logs by its own rules"),
    ),
)]
#[get("/v1/logs")]
pub(crate) async fn get_logs(_caller: Access<Administer>, _: NoQuery) -> Result<HttpResponse, Problem> {
    let filter = log_filter::of_process().ok_or_else(|| Refusal::not_found("log"))?;
    Ok(reply::json(&filter.shown()))
}

/// Longer than anybody would write by hand.
const LONGEST_FILTER: usize = 1_024;

/// For longer than this the configuration is the place.
const LONGEST_WHILE: Duration = Duration::from_hours(24);

/// Changes what is logged, for a while or until it is changed again, the configuration says something new, or the process
/// ends.
///
/// Scope: `admin`, for every merchant (`*`): it is the log of all of them.
#[utoipa::path(
    tag = "process",
    request_body(content = LogsChange, content_type = "application/json"),
    responses(
        (status = 200, description = "The filter in force", body = Logs),
        (status = 404, description = "`not_found`: the process logs by its own rules"),
        (status = 422, description = "`validation_failed`: such as a filter that cannot be read"),
    ),
)]
#[put("/v1/logs")]
pub(crate) async fn change_logs(
    caller: Access<AdministerAll>,
    body: JsonBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let change = Change::read(&body.0).map_err(Refusal::invalid)?;
    let filter = log_filter::of_process().ok_or_else(|| Refusal::not_found("log"))?;
    let how_long = change.length.map(|length| ForAWhile {
        length,
        until: state.gateway.clock().now() + SignedDuration::try_from(length).unwrap_or_default(),
    });
    let cannot_be_read = |error: TelemetryError| Refusal::invalid(vec![unreadable(&error.to_string())]);
    let _readable = log_directives::filter(change.filter).map_err(cannot_be_read)?;
    let act = change.act(&caller.key.name);
    state.gateway.audit.record(&[act]).await.map_err(Refusal::from)?;
    let set = filter.set(&caller.key.name, change.filter, how_long);
    set.map_err(cannot_be_read)?;
    Ok(reply::json(&filter.shown()))
}

#[derive(Debug, PartialEq, Eq)]
struct Change<'a> {
    filter: &'a str,
    length: Option<Duration>,
}

impl<'a> Change<'a> {
    fn act(&self, by: &str) -> Act {
        let act = Act::new(by, AuditAction::LogsChange, "logs").with("filter", self.filter);
        match self.length {
            Some(length) => act.with("for_seconds", length.as_secs()),
            None => act,
        }
    }

    fn read(body: &'a Json) -> Result<Self, Vec<Wrong>> {
        let Some(members) = body.as_object() else {
            return Err(vec![Wrong::new("", "invalid_type", "has to be an object")]);
        };
        let known = |name: &str| matches!(name, "filter" | "for");
        let unknown = members.keys().filter(|name| !known(name));
        let mut wrong: Vec<Wrong> = unknown
            .map(|name| {
                let pointer = format!("/{}", upsert_core::customer::escape(name));
                Wrong::new(pointer, "unknown_field", "is not known here")
            })
            .collect();
        let filter = match body.get("filter") {
            Some(Json::String(filter)) if (1..=LONGEST_FILTER).contains(&filter.len()) => Some(filter.as_str()),
            Some(Json::String(_)) => {
                let detail = format!("has to be a text of 1 to {LONGEST_FILTER} bytes");
                refuse(&mut wrong, unreadable(&detail))
            }
            Some(_) => refuse(&mut wrong, Wrong::new("/filter", "invalid_type", "has to be a text")),
            None => refuse(&mut wrong, Wrong::new("/filter", "required", "is required")),
        };
        let length = match body.get("for") {
            None | Some(Json::Null) => None,
            Some(given) => match given.as_str().and_then(parse_duration) {
                Some(length) if (Duration::from_secs(1)..=LONGEST_WHILE).contains(&length) => Some(length),
                _ => {
                    let detail = "has to be a length of time from \"1s\" to \"24h\", such as \"15m\"";
                    refuse(&mut wrong, Wrong::new("/for", "invalid_value", detail))
                }
            },
        };
        match filter {
            Some(filter) if wrong.is_empty() => Ok(Self { filter, length }),
            _ => Err(wrong),
        }
    }
}

fn refuse<T>(wrong: &mut Vec<Wrong>, problem: Wrong) -> Option<T> {
    wrong.push(problem);
    None
}

fn unreadable(detail: &str) -> Wrong {
    Wrong::new("/filter", "invalid_value", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_a_filter_and_maybe_for_how_long() {
        let (fifteen, debug) = (Some(Duration::from_mins(15)), "info,upsert_app=debug");
        for (body, length) in [
            (json!({ "filter": debug, "for": "15m" }), fifteen),
            (json!({ "filter": debug, "for": null }), None),
            (json!({ "filter": debug }), None),
        ] {
            assert_eq!(Change::read(&body).unwrap(), Change { filter: debug, length });
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_by_its_place() {
        for (body, wanted) in [
            (json!([]), vec![""]),
            (json!({}), vec!["/filter"]),
            (json!({ "filter": 1, "for": 15 }), vec!["/filter", "/for"]),
            (json!({ "filter": "", "for": "999ms" }), vec!["/filter", "/for"]),
            (json!({ "filter": "x".repeat(1_025) }), vec!["/filter"]),
            (json!({ "filter": "info", "for": "25h" }), vec!["/for"]),
            (json!({ "filter": "info", "a/b": 1 }), vec!["/a~1b"]),
        ] {
            let wrong = Change::read(&body).unwrap_err();
            let pointers: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
            assert_eq!(pointers, wanted, "{body}");
        }
    }
}
