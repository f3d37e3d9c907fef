//! Content codings of answers (RFC 9110, 8.4 and 12.5.3): gzip for whoever takes it.
//!
//! A whole answer is coded at once, so that its length is told. A stream is coded piece by piece, and each piece is flushed:
//! a line of a batch waits for no other. Live parts of pages are left as they are, unless the client takes nothing else.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::{self, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;

use upsert_api::ProblemCode;

use crate::http::mount;
use crate::http::problem::Problem;
use crate::http::weights::{Weights, weigh};
use crate::state::State;

const GZIP: HeaderValue = HeaderValue::from_static("gzip");
/// What is shorter gains nothing.
const LEAST: u64 = 1024;
/// What is longer would keep others waiting who are served by the same thread.
const LONGEST_AT_ONCE: usize = 32 * 1024;
const LEVEL: Compression = Compression::new(4);

/// How an answer is to be coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not at all.
    Identity,
    /// By gzip, where it gains something.
    Gzip {
        /// Nothing else is taken.
        is_needed: bool,
    },
}

impl Coding {
    /// What `Accept-Encoding` wants most; none: nothing that there is.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let Weights { gzip, identity } = weigh(headers);
        match identity {
            // Not named: whatever is named goes before it.
            None if gzip > 0 => Some(Self::Gzip { is_needed: false }),
            None => Some(Self::Identity),
            Some(identity) if gzip > 0 && gzip >= identity => Some(Self::Gzip {
                is_needed: identity == 0,
            }),
            Some(0) => None,
            Some(_) => Some(Self::Identity),
        }
    }
}

/// 406: the client takes no coding that there is, nor an answer without one.
pub(crate) fn refused() -> Problem {
    let detail = "answers are coded by `gzip` or not at all, and `Accept-Encoding` takes neither";
    Problem::new(ProblemCode::NotAcceptable, detail)
}

/// The answer as it is wanted.
pub(crate) async fn coded(mut response: ServiceResponse<BoxBody>, coding: Coding) -> ServiceResponse<BoxBody> {
    let (size, headers) = (response.response().body().size(), response.headers());
    let is_empty = matches!(size, BodySize::None | BodySize::Sized(0));
    if is_empty || headers.contains_key(header::CONTENT_ENCODING) || !is_text(headers) {
        return response;
    }
    let is_tagged = headers.contains_key(header::ETAG);
    let goes_on = is_live(headers);
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let Coding::Gzip { is_needed } = coding else {
        return response;
    };
    // A tag names the bytes as they are without a coding.
    let is_left = is_tagged || goes_on || matches!(size, BodySize::Sized(length) if length < LEAST);
    if is_left && !is_needed {
        return response;
    }
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    response.headers_mut().insert(header::CONTENT_ENCODING, GZIP);
    let body = match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(whole(&request, bytes).await),
        Err(body) => BoxBody::new(Flushed::new(body)),
    };
    ServiceResponse::new(request, response.set_body(body))
}

/// Whether it is text in any form: what else there is, is small or coded already.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    kind.starts_with("text/")
        || ["json", "xml", "javascript"]
            .iter()
            .any(|ending| kind.ends_with(ending))
}

/// Whether it tells something now and then, for as long as somebody listens: the coder's memory would be held as long.
fn is_live(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

async fn whole(request: &HttpRequest, bytes: Bytes) -> Bytes {
    match (name_of(request, &bytes), State::of(request)) {
        (Some(name), Some(state)) => state.coded.get(name, &bytes, code(bytes.clone())).await,
        _ => code(bytes).await,
    }
}

/// What is shared by all who ask for it is coded for all of them, under this name.
fn name_of(request: &HttpRequest, bytes: &Bytes) -> Option<String> {
    if bytes.is_unique() {
        return None;
    }
    let template = request.match_pattern()?;
    match template.as_str() {
        "/metrics" => Some(template),
        "/openapi.json" => Some(mount::of(request).at(&template)),
        "/docs/{file}" | "/ops/assets/{version}/{file}" => {
            Some(format!("{template} {}", request.match_info().get("file")?))
        }
        _ => None,
    }
}

async fn code(bytes: Bytes) -> Bytes {
    if bytes.len() <= LONGEST_AT_ONCE {
        return gzipped(&bytes).into();
    }
    let others = bytes.clone();
    let coded = web::block(move || gzipped(&others)).await;
    coded.unwrap_or_else(|_| gzipped(&bytes)).into()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), LEVEL);
    // Memory takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// A stream whose pieces go out as they come.
struct Flushed {
    body: BoxBody,
    /// None: the end is written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Flushed {
    fn new(body: BoxBody) -> Self {
        Self {
            body,
            encoder: Some(GzEncoder::new(Vec::new(), LEVEL)),
        }
    }
}

impl MessageBody for Flushed {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.encoder.is_none() {
            return Poll::Ready(None);
        }
        let piece = ready!(Pin::new(&mut self.body).poll_next(context));
        let out = match (piece, &mut self.encoder) {
            (Some(Ok(piece)), Some(encoder)) => flushed(encoder, &piece),
            (Some(Err(error)), _) => return Poll::Ready(Some(Err(error))),
            (_, encoder) => encoder.take().map_or_else(|| Ok(Vec::new()), GzEncoder::finish),
        };
        Poll::Ready(Some(out.map(Bytes::from).map_err(Into::into)))
    }
}

fn flushed(encoder: &mut GzEncoder<Vec<u8>>, piece: &[u8]) -> io::Result<Vec<u8>> {
    encoder.write_all(piece)?;
    encoder.flush()?;
    Ok(std::mem::take(encoder.get_mut()))
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};

    use super::*;

    #[actix_web::test]
    async fn what_is_shared_is_coded_for_all_and_what_is_one_callers_is_not() {
        let name = async |request: HttpRequest| {
            let shared = name_of(&request, &Bytes::from_static(b"x"));
            let own = name_of(&request, &Bytes::from(vec![b'x']));
            format!("{shared:?} {own:?}")
        };
        let app = App::new()
            .route("/metrics", web::get().to(name))
            .route("/openapi.json", web::get().to(name))
            .route("/docs/{file}", web::get().to(name))
            .route("/ops/assets/{version}/{file}", web::get().to(name))
            .route("/v1/customers", web::get().to(name));
        let app = test::init_service(app).await;
        for (path, shared) in [
            ("/metrics", Some("/metrics")),
            ("/openapi.json", Some("/openapi.json")),
            ("/docs/index.css", Some("/docs/{file} index.css")),
            ("/ops/assets/1/a.js", Some("/ops/assets/{version}/{file} a.js")),
            ("/ops/assets/2/a.js", Some("/ops/assets/{version}/{file} a.js")),
            ("/v1/customers", None),
        ] {
            let request = test::TestRequest::with_uri(path).to_request();
            let names = test::call_and_read_body(&app, request).await;
            assert_eq!(names, format!("{shared:?} None"), "{path}");
        }
    }
}
