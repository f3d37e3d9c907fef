//! The door: nobody sees a page who has not signed in, no other site's form gets in, and what a page cannot show becomes a
//! page that says so.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use askama::Template;

use crate::auth::cross_origin::is_forged;
use crate::auth::session::Session;
use crate::auth::token::{COOKIE, session_of};
use crate::error::PageError;
use crate::form;
use crate::headers::secure;
use crate::mount;
use crate::pages::methods;
use crate::render::{Frame, Section, VERSION, page_with};
use crate::state::Dashboard;

/// The sign-in form.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    version: &'static str,
    /// Why the last key did not open the door.
    problem: Option<&'a str>,
    /// Where to go then.
    next: &'a str,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    frame: Frame,
    status: u16,
    says: Vec<String>,
}

/// For whom nobody can be asked.
#[derive(Template)]
#[template(path = "unavailable.html")]
struct Unavailable {
    version: &'static str,
    sentence: String,
}

/// Around everything below `/ops`.
pub(crate) async fn enter(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = match visit_of(&request).await {
        Ok(session) => answered(request, next, session).await?,
        Err(away) => {
            let page = unavailable(&away);
            request.into_response(page)
        }
    };
    secure(response.headers_mut());
    Ok(mount::led(response))
}

/// What this session, or nobody, is answered.
async fn answered(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
    session: Option<Session>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = if is_forged(request.method(), request.headers()) {
        let says = "this was asked for by a page of another site";
        let refused = PageError::new(StatusCode::FORBIDDEN, says);
        let page = refused_page(session.as_ref(), &refused);
        request.into_response(page)
    } else if session.is_none() && !is_open(&request) {
        let page = knock(&request);
        request.into_response(page)
    } else if let Some(seconds) = session.as_ref().and_then(|session| spent(session, &request)) {
        let page = too_often(session.as_ref(), seconds);
        request.into_response(page)
    } else {
        match form::arrived(&mut request, session.is_some()).await {
            Ok(()) => act(request, next, session.as_ref()).await?,
            Err(refused) => {
                let mut page = refused_page(session.as_ref(), &refused);
                // The rest of it may still be on its way: nothing more can be read from this connection.
                page.head_mut().set_connection_type(ConnectionType::Close);
                request.into_response(page)
            }
        }
    };
    if let Some(error) = response.response().error() {
        let page = match error.as_error::<PageError>() {
            Some(refused) => {
                let mut page = refused_page(session.as_ref(), refused);
                if let Some(allowed) = refused.allows {
                    methods::say(page.headers_mut(), allowed);
                }
                page
            }
            None => {
                let status = error.as_response_error().status_code();
                refused_page(session.as_ref(), &PageError::new(status, form::what_is_wrong(status)))
            }
        };
        response = response.into_response(page);
    }
    if let Some(session) = session {
        session.tell_no_more().await;
    }
    Ok(response)
}

/// Once the form is here. It may have taken its time: the key may be gone since, or may do less.
async fn act(
    request: ServiceRequest,
    next: Next<BoxBody>,
    session: Option<&Session>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(session) = session {
        let Some(session) = session.with_its_key() else {
            let page = knock(&request);
            return Ok(request.into_response(page));
        };
        request.extensions_mut().insert(session);
    }
    next.call(request).await
}

/// What is there for everybody: scripts and styles, and the door itself.
fn is_open(request: &ServiceRequest) -> bool {
    let path = request.path();
    // What methods there are is told to everybody.
    let is_options = request.method() == Method::OPTIONS;
    is_options || is_asset(request) || path == "/ops/session" || path == "/ops/session/end"
}

/// A page, a search, an action, a part that is kept up to date is a call of the key that opened the door; none of them any
/// more for so many seconds where the key may not call so often.
fn spent(session: &Session, request: &ServiceRequest) -> Option<u64> {
    let is_call = !is_open(request);
    let keys = &session.dashboard.parts.keys;
    keys.count(request.request(), &session.principal.key_hash, is_call)
        .err()
}

fn too_often(session: Option<&Session>, seconds: u64) -> HttpResponse {
    let says = "your key calls more often than it may: try again in a moment";
    let mut page = refused_page(session, &PageError::new(StatusCode::TOO_MANY_REQUESTS, says));
    page.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    // The form may still be on its way.
    page.head_mut().set_connection_type(ConnectionType::Close);
    page
}

fn is_asset(request: &ServiceRequest) -> bool {
    request.path().starts_with("/ops/assets/")
}

/// Whoever has signed in with a key that still opens the door. Who asks for a script or a style does not matter.
async fn visit_of(request: &ServiceRequest) -> Result<Option<Session>, PageError> {
    let (dashboard, cookie) = (request.app_data::<Data<Dashboard>>(), request.cookie(COOKIE));
    let (Some(dashboard), Some(cookie)) = (dashboard, cookie.filter(|_| !is_asset(request))) else {
        return Ok(None);
    };
    let Some(id) = session_of(cookie.value()) else {
        return Ok(None);
    };
    Session::of(dashboard.clone(), id, !is_live(request)).await
}

/// What a page that lies open asks for by itself.
fn is_live(request: &ServiceRequest) -> bool {
    request.path().starts_with("/ops/live")
}

/// Nobody has signed in.
fn knock(request: &ServiceRequest) -> HttpResponse {
    if is_live(request) {
        // A page that asks for itself is loaded anew, and is the form then, instead of asking on and on.
        let mut refused = HttpResponse::Unauthorized();
        return refused.insert_header(("HX-Refresh", "true")).body("sign in again");
    }
    let is_first_page = matches!(request.path(), "/ops" | "/ops/");
    let status = if is_first_page {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    };
    let next = match *request.method() {
        Method::GET => request.uri().path_and_query().map_or("/ops", |path| path.as_str()),
        _ => "/ops",
    };
    sign_in_form(status, None, next)
}

/// The form, with what was wrong.
pub(crate) fn sign_in_form(status: StatusCode, problem: Option<&str>, next: &str) -> HttpResponse {
    let form = SignIn {
        version: VERSION,
        problem,
        next,
    };
    page_with(status, &form).unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

fn unavailable(away: &PageError) -> HttpResponse {
    let page = Unavailable {
        version: VERSION,
        sentence: away.sentence(),
    };
    page_with(away.status, &page).unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

fn refused_page(session: Option<&Session>, refused: &PageError) -> HttpResponse {
    let Some(session) = session else {
        return sign_in_form(refused.status, Some(&refused.sentence()), "/ops");
    };
    let title = refused.status.canonical_reason().unwrap_or("PageError");
    let page = RefusedPage {
        frame: session.quiet_frame(Section::Overview, title),
        status: refused.status.as_u16(),
        says: refused.says.clone(),
    };
    page_with(refused.status, &page).unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}
