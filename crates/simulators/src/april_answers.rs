//! What April answers.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::checks::FieldProblem;
use crate::wire::Reply;

pub(crate) const ORGANISATION: &str = "organisation";

pub(crate) const CONSUMER: &str = "consumer";

pub(crate) fn invalid(problems: &[FieldProblem]) -> Reply {
    let detail: Vec<String> = problems
        .iter()
        .map(|it| format!("{}: {}", it.field, it.message))
        .collect();
    let mut body = error(400, Some(&detail.join("; ")));
    let by_field = problems.iter().map(|it| (it.field.clone(), json!(it.message)));
    body["metadata"] = Value::Object(by_field.collect());
    Reply::json(400, &body)
}

/// A refusal in the documented shape.
pub(crate) fn refusal(status: u16, detail: Option<&str>) -> Reply {
    Reply::json(status, &error(status, detail))
}

/// The shape of S4, with every member of it. The codes of customer calls are on no page; these are made up.
pub(crate) fn error(status: u16, detail: Option<&str>) -> Value {
    let (code, message) = match status {
        400 => ("invalid_request", "The request is not valid"),
        401 => ("unauthorised", "The credential is missing or unknown"),
        403 => ("forbidden", "The credential may not do this"),
        404 => ("not_found", "There is no such thing"),
        405 => ("method_not_allowed", "The method is not allowed here"),
        406 => ("not_acceptable", "Only application/json is produced"),
        409 => ("conflict", "The request conflicts with another customer"),
        422 => ("unprocessable", "The request cannot be processed"),
        429 => ("too_many_requests", "Too many requests"),
        503 => ("service_unavailable", "The service is not available"),
        _ => ("internal_error", "Something went wrong"),
    };
    let category = if status < 500 {
        "invalid_request_error"
    } else {
        "api_error"
    };
    json!({
        "statusCode": status,
        "errorCode": code,
        "message": message,
        "tracer": Uuid::new_v4().to_string(),
        "detail": detail.unwrap_or("No more is known"),
        "errorTypeDescription": category,
        "metadata": { "documentation": "https://docs.meetapril.io/developer-portal/error-handling" },
    })
}
