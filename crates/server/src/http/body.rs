//! The request body: JSON, in time, within the limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, BytesMut};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::StreamExt as _;
use serde_json::Value as Json;
use tokio::time::timeout;

use upsert_api::ProblemCode;
use upsert_app::{Refusal, read_json};
use upsert_core::Problem as Wrong;
use upsert_core::customer::escape;

use crate::http::decoding::{self, Decoded, Encoding, Unread};
use crate::http::middleware::still_stands;
use crate::http::pacing;
use crate::http::problem::Problem;
use crate::net::connections::Guest;
use crate::state::State;

/// A body, read whole and parsed; whether it is a valid request is for the application to say.
#[derive(Debug)]
pub(crate) struct JsonBody(pub(crate) Json);

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let sent = Sent::of(request, payload.take());
        let admitted = admit(request, State::of(request).map(|state| &**state));
        let request = request.clone();
        Box::pin(async move {
            let body = sent.in_time(admitted?).await?;
            // It may have taken its time, and the key may be gone since.
            still_stands(&request)?;
            Ok(Self(read_json(&body)?))
        })
    }
}

/// A body that may be absent: then nothing has to be said of its type either.
#[derive(Debug)]
pub(crate) struct MaybeJson(pub(crate) Option<Json>);

impl FromRequest for MaybeJson {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let sent = Sent::of(request, payload.take());
        let state = State::of(request).map(|state| &**state);
        let admitted = admit(request, state);
        let limits = within_limit(request, state);
        let request = request.clone();
        Box::pin(async move {
            let body = sent.in_time(limits?).await?;
            still_stands(&request)?;
            if body.is_empty() {
                return Ok(Self(None));
            }
            admitted?;
            Ok(Self(Some(read_json(&body)?)))
        })
    }
}

/// No body, for routes that know none: one that says something would be ignored without a word. An empty object says nothing.
#[derive(Debug)]
pub(crate) struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = MaybeJson::from_request(request, payload);
        Box::pin(async move {
            let (pointer, code) = match body.await?.0 {
                None | Some(Json::Null) => return Ok(Self),
                Some(Json::Object(members)) => match members.keys().next() {
                    None => return Ok(Self),
                    Some(name) => (format!("/{}", escape(name)), "unknown_field"),
                },
                Some(_) => (String::new(), "invalid_type"),
            };
            let wrong = Wrong::new(pointer, code, "there is nothing to say in a body here");
            Err(Refusal::invalid(vec![wrong]).into())
        })
    }
}

/// Bytes that are read of an event for each that it may have: one that is too long can be told to be its sender's, and is
/// kept as a dead letter.
const READ_OF_EVENTS: usize = 2;

/// An event, read whole, to the byte: its signature covers it. Until then it is a stranger's. `limit`: how long it may be to
/// be taken.
pub(crate) async fn event(request: &HttpRequest, payload: web::Payload, limit: usize) -> Result<BytesMut, Problem> {
    if Encoding::of(request).ok() != Some(Encoding::Identity) {
        let detail = "an event may have no content coding: its signature covers it to the byte";
        return Err(decoding::unsupported(detail, "identity"));
    }
    let admitted = within(request, limit.saturating_mul(READ_OF_EVENTS))?;
    pacing::reads_of_stranger(request);
    Sent::of(request, payload.into_inner()).in_time(admitted).await
}

/// A body that has not been read yet.
struct Sent {
    payload: Payload,
    state: Option<Arc<State>>,
    guest: Option<Guest>,
}

impl Sent {
    fn of(request: &HttpRequest, payload: Payload) -> Self {
        Self {
            payload,
            state: State::of(request).cloned(),
            guest: request.conn_data::<Guest>().cloned(),
        }
    }

    async fn in_time(self, admitted: Admitted) -> Result<BytesMut, Problem> {
        let Some(state) = self.state.clone() else {
            return Err(Problem::new(ProblemCode::Internal, "the request could not be handled"));
        };
        // Actix has no time limit for bodies: without one, a trickle would hold the connection for good.
        timeout(state.body_timeout, self.read(admitted))
            .await
            .map_err(|_| Problem::new(ProblemCode::RequestTimeout, "the body took too long to arrive"))?
    }

    async fn read(mut self, admitted: Admitted) -> Result<BytesMut, Problem> {
        let Admitted {
            limit,
            expected,
            encoding,
        } = admitted;
        let refused = |why| match why {
            Unread::TooLong => too_large(limit),
            Unread::Corrupted => Problem::new(ProblemCode::MalformedJson, "the body is no gzip, or not a whole one"),
        };
        let mut body = Decoded::new(encoding, limit, expected);
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(ProblemCode::MalformedJson, "the body broke off"))?;
            body.take(&chunk).map_err(refused)?;
            if let Some(guest) = &self.guest {
                guest.connection.taken(chunk.len());
            }
        }
        body.end().map_err(refused)
    }
}

/// What can be said before the first byte.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    /// Bytes, without the coding.
    limit: usize,
    /// Bytes that are announced.
    expected: usize,
    encoding: Encoding,
}

fn admit(request: &HttpRequest, state: Option<&State>) -> Result<Admitted, Problem> {
    let is_json = request.mime_type().ok().flatten().is_some_and(|mime| {
        let is_utf8 = mime
            .get_param("charset")
            .is_none_or(|charset| charset.as_str().eq_ignore_ascii_case("utf-8"));
        let is_json = mime.subtype() == "json" || mime.suffix().is_some_and(|suffix| suffix == "json");
        is_utf8 && is_json && mime.type_() == "application"
    });
    if !is_json {
        let detail = "the body has to be application/json, in UTF-8";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    }
    within_limit(request, state)
}

fn within_limit(request: &HttpRequest, state: Option<&State>) -> Result<Admitted, Problem> {
    within(request, state.map_or(0, |state| state.served.load().body_limit))
}

fn within(request: &HttpRequest, limit: usize) -> Result<Admitted, Problem> {
    let encoding = Encoding::of(request)?;
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > limit {
        return Err(too_large(limit));
    }
    Ok(Admitted {
        limit,
        expected: announced,
        encoding,
    })
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("a body may have {limit} bytes");
    Problem::new(ProblemCode::BodyTooLarge, detail)
}
