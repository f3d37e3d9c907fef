//! Query strings: what a route knows, and nothing else.

use actix_web::HttpRequest;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use url::form_urlencoded;
use utoipa::IntoParams;

use crate::http::problem::Problem;

/// How many items a page has unless the caller says otherwise.
pub(crate) const USUAL_LIMIT: usize = 50;
/// How many it may have.
pub(crate) const LARGEST_LIMIT: usize = 200;

/// Reads the query into a structure whose members are optional texts. Its documented parameters are the ones that are
/// known; any other, and one that is given twice, is refused, so that a misspelt filter never lists everything.
pub(crate) fn read_query<T: DeserializeOwned + IntoParams>(request: &HttpRequest) -> Result<T, Problem> {
    let known: Vec<String> = T::into_params(|| None)
        .into_iter()
        .map(|parameter| parameter.name)
        .collect();
    let mut given = Map::new();
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if !known.iter().any(|known| *known == name) {
            let detail = format!("is not known here; known are: {}", known.join(", "));
            return Err(Problem::invalid_query(&name, "unknown_parameter", detail));
        }
        if given
            .insert(name.clone().into_owned(), Json::String(value.into_owned()))
            .is_some()
        {
            return Err(Problem::invalid_query(
                &name,
                "repeated_parameter",
                "is given more than once",
            ));
        }
    }
    serde_json::from_value(Json::Object(given))
        .map_err(|_| Problem::invalid_query("", "invalid_value", "the query cannot be read"))
}

/// Refuses every parameter, for routes that know none.
pub(crate) fn no_query(request: &HttpRequest) -> Result<(), Problem> {
    match form_urlencoded::parse(request.query_string().as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => {
            let detail = "is not known here; there are no parameters";
            Err(Problem::invalid_query(&name, "unknown_parameter", detail))
        }
    }
}

/// `limit`: 1 to 200.
pub(crate) fn limit(given: Option<&str>) -> Result<usize, Problem> {
    match given.map(str::parse) {
        None => Ok(USUAL_LIMIT),
        Some(Ok(limit)) if (1..=LARGEST_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => {
            let detail = format!("has to be a whole number from 1 to {LARGEST_LIMIT}");
            Err(Problem::invalid_query("limit", "invalid_value", detail))
        }
    }
}

/// `true` or `false`.
pub(crate) fn flag(name: &str, given: Option<&str>) -> Result<Option<bool>, Problem> {
    match given {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Problem::invalid_query(name, "invalid_value", "has to be true or false")),
    }
}
