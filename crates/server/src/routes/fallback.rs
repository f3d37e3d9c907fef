//! What no route takes: 404, or 405 where the path is known; OPTIONS, which every path takes; the root, and paths with a slash
//! too many.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use upsert_api::ProblemCode;
use upsert_app::Refusal;

use crate::http::access::count_in_vain;
use crate::http::methods;
use crate::http::middleware::Observed;
use crate::http::mount;
use crate::http::problem::Problem;
use crate::state::State;

/// Tells a wrong method from a wrong path. It needs no key; one that it came with is counted.
pub(crate) async fn fallback(request: HttpRequest) -> Result<HttpResponse, Problem> {
    count_in_vain(&request)?;
    let is_options = request.method() == Method::OPTIONS;
    if is_options && request.path() == "*" {
        // Of the server as a whole, whose paths differ.
        return Ok(HttpResponse::NoContent().finish());
    }
    if request.path() == "/" {
        return root(&request);
    }
    if let Some(path) = without_slash(&request) {
        return Ok(moved(&path));
    }
    let Some(routed) = routed(&request) else {
        return Err(Refusal::not_found("page").into());
    };
    let allowed = methods::allowed(&routed);
    if is_options {
        Ok(methods::options(&allowed))
    } else {
        Err(Problem::method_not_allowed(&allowed))
    }
}

/// Nothing is there: a browser is led to the dashboard, a program is told where the API is described.
fn root(request: &HttpRequest) -> Result<HttpResponse, Problem> {
    if request.method() == Method::GET && is_browser(request.headers()) {
        let mut to_pages = HttpResponse::Found();
        return Ok(to_pages.insert_header((header::LOCATION, "/ops")).finish());
    }
    let base = mount::of(request);
    let (docs, document) = (base.at("/docs"), base.at("/openapi.json"));
    let detail = format!("nothing is here: `{docs}` describes the API, for programs `{document}`");
    let problem = Problem::new(ProblemCode::NotFound, detail);
    let links = format!("<{docs}>; rel=\"service-doc\", <{document}>; rel=\"service-desc\"");
    Err(match HeaderValue::try_from(links) {
        Ok(links) => problem.with(header::LINK, links),
        Err(_) => problem,
    })
}

/// Whether somebody looks who reads HTML.
fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let media = range.split(';').next().unwrap_or_default();
        media.trim().eq_ignore_ascii_case("text/html")
    })
}

/// The path without the slash at its end, where that is a route's; with its query.
fn without_slash(request: &HttpRequest) -> Option<String> {
    let path = request.uri().path().strip_suffix('/')?;
    if path.starts_with("//") || request.resource_map().match_pattern(path).is_none() {
        return None;
    }
    Some(match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

/// 308: the same request is to be sent there, with its method and its body.
fn moved(path: &str) -> HttpResponse {
    let mut moved = HttpResponse::PermanentRedirect();
    moved.insert_header((header::LOCATION, path)).finish()
}

/// The methods of the routes with this path; none: there is no such path.
fn routed(request: &HttpRequest) -> Option<Vec<Method>> {
    let template = request.extensions().get::<Observed>()?.template.clone()?;
    let state = State::of(request)?;
    state.documented.methods.get(&*template).cloned()
}
