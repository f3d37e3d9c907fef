//! Signing in and out: `POST /ops/session`, `POST /ops/session/end`.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Deserialize;

use upsert_app::SessionId;
use upsert_settings::Scope;

use crate::auth::enter::sign_in_form;
use crate::auth::session::{local, see_other};
use crate::auth::token::{COOKIE, new_token, session_of};
use crate::error::PageError;
use crate::mount;
use crate::state::{AuthError, Dashboard};

/// The sign-in form. (No `Debug`: it holds a key.)
#[derive(Deserialize)]
pub(crate) struct SignIn {
    key: String,
    #[serde(default)]
    next: String,
}

/// Signs in with an API key that has the scope `ops:read`. A wrong key is no more delayed than at the API: keys are long and
/// random, and nobody guesses one however often they try. One that is known counts against its own limit.
#[post("/session")]
pub(crate) async fn sign_in(request: HttpRequest, dashboard: Data<Dashboard>, form: Form<SignIn>) -> HttpResponse {
    let again = |status, problem: &str| sign_in_form(status, Some(problem), local(&form.next));
    let principal = match dashboard.parts.keys.open(&request, form.key.trim()) {
        Ok(principal) => principal,
        Err(error) => {
            if error != AuthError::TooOften {
                dashboard.parts.gateway.sessions.refused().await;
            }
            let (status, problem) = wrong(error);
            return again(status, problem);
        }
    };
    if !principal.may(Scope::OpsRead) {
        dashboard.parts.gateway.sessions.refused().await;
        return again(StatusCode::FORBIDDEN, &PageError::lacks(Scope::OpsRead).sentence());
    }
    let (sessions, (token, id)) = (&dashboard.parts.gateway.sessions, new_token());
    let mut begun = Ok(());
    if let Some(before) = shown(&request) {
        begun = sessions.end(before).await;
    }
    if begun.is_ok() {
        begun = sessions.begin(id, principal.key_hash, &principal.name).await;
    }
    if begun.is_err() {
        let away = PageError::store_is_away();
        return again(away.status, &away.sentence());
    }
    tracing::info!(key = principal.name, "signed in to the dashboard");
    with_cookie(see_other(&form.next), &cookie(token, &request))
}

/// What keeps a key from opening the door.
const fn wrong(error: AuthError) -> (StatusCode, &'static str) {
    use StatusCode as Status;
    match error {
        AuthError::Unknown => (Status::UNAUTHORIZED, "this key is not known"),
        AuthError::Expired => (Status::UNAUTHORIZED, "this key has expired"),
        AuthError::Mistyped => (
            Status::UNAUTHORIZED,
            "this key is not whole: a letter is wrong or missing",
        ),
        AuthError::TooOften => (
            Status::TOO_MANY_REQUESTS,
            "this key calls more often than it may: try again in a moment",
        ),
    }
}

/// Signs out, at every replica. Where the store does not answer the session goes on, and so the cookie stays.
#[post("/session/end")]
pub(crate) async fn sign_out(request: HttpRequest, dashboard: Data<Dashboard>) -> Result<HttpResponse, PageError> {
    if let Some(id) = shown(&request) {
        let parts = &dashboard.parts;
        // Whose session it is is told by its key; one that is over already ends unnoticed, and one that never was is no work.
        if let Some(session) = dashboard.lookups.find(&parts.gateway, &id, false).await? {
            let ended = match parts.keys.still_open(&session.key_hash) {
                Some(principal) => parts.gateway.sessions.sign_out(id, &principal.name).await,
                None => parts.gateway.sessions.end(id).await,
            };
            ended.map_err(|_| PageError::store_is_away())?;
        }
    }
    let mut gone = cookie(String::new(), &request);
    gone.make_removal();
    Ok(with_cookie(see_other("/ops"), &gone))
}

/// The session that the browser shows, if it may be one.
fn shown(request: &HttpRequest) -> Option<SessionId> {
    session_of(request.cookie(COOKIE)?.value())
}

fn with_cookie(mut response: HttpResponse, cookie: &Cookie<'_>) -> HttpResponse {
    match response.add_cookie(cookie) {
        Ok(()) => response,
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// It goes with requests of our own pages alone, and no script can read it.
fn cookie(token: String, request: &HttpRequest) -> Cookie<'static> {
    Cookie::build(COOKIE, token)
        .path(mount::of(request).at("/ops"))
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_encrypted(request))
        .finish()
}

/// Whether the browser speaks TLS to whatever stands before the gateway.
fn is_encrypted(request: &HttpRequest) -> bool {
    let forwarded = request.headers().get("x-forwarded-proto");
    forwarded.is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
        || request.connection_info().scheme() == "https"
}
