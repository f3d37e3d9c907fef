//! What a request tells its connection: that it begins, who it is of, and when its answer is given.
//!
//! An answer that is long goes out in slices. actix-http would copy it as a whole into the buffer of its connection: a
//! thousand readers who take nothing would have a thousand copies of one file.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest};

use crate::net::client_address::client_address;
use crate::net::connections::Guest;
use crate::net::listener::WRITE_BUFFER;
use crate::net::reading::Body;

/// Handed on at once: with its head, or what stands around a chunk, no more than the buffer that it goes through.
const SLICE: usize = WRITE_BUFFER - 1024;

/// The layer around routes that nothing else observes.
pub(crate) async fn pace(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let pace = Pace::begin(request.request());
    let response = next.call(request).await?;
    Ok(pace.end(response, false))
}

/// A request that began.
#[derive(Debug)]
pub(crate) struct Pace(Option<Guest>);

impl Pace {
    pub(crate) fn begin(request: &HttpRequest) -> Self {
        let guest = request.conn_data::<Guest>().cloned();
        if let Some(guest) = &guest {
            guest.begins(body_of(request.headers()));
        }
        Self(guest)
    }

    /// It was answered. `is_known`: it came with a key.
    pub(crate) fn end(self, mut response: ServiceResponse<BoxBody>, is_known: bool) -> ServiceResponse<BoxBody> {
        let Some(guest) = self.0 else { return response };
        if !is_known {
            is_stranger(response.request(), &guest);
        }
        if guest.is_to_go() {
            let head = response.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        response.map_body(|_, body| paced(body, guest))
    }

    /// It was refused by something short.
    pub(crate) fn end_shortly(self) {
        if let Some(guest) = self.0 {
            guest.answered();
        }
    }
}

/// The request came with a valid key, or what is as good.
pub(crate) fn shows_key(request: &HttpRequest) {
    if let Some(guest) = request.conn_data::<Guest>() {
        guest.shows_key();
    }
}

/// What somebody without a key sends is about to be read.
pub(crate) fn reads_of_stranger(request: &HttpRequest) {
    if let Some(guest) = request.conn_data::<Guest>() {
        is_stranger(request, guest);
    }
}

/// What actix-http reads of a body: it has refused heads that say two things.
fn body_of(headers: &HeaderMap) -> Body {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Body::Chunked;
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
    Body::Length(length.unwrap_or(0))
}

fn is_stranger(request: &HttpRequest, guest: &Guest) {
    let peer = guest.connection.peer;
    guest.is_stranger(client_address(request.headers(), peer, &guest.proxies()));
}

fn paced(body: BoxBody, guest: Guest) -> BoxBody {
    if matches!(body.size(), BodySize::None) || matches!(body.size(), BodySize::Sized(length) if length <= SLICE as u64)
    {
        guest.answered();
        return body;
    }
    match body.try_into_bytes() {
        Ok(bytes) => {
            // What is shared is there anyway; the buffer that it goes through is not.
            let own = if bytes.is_unique() { bytes.len() } else { 0 };
            guest.owes(own + WRITE_BUFFER);
            BoxBody::new(Slices {
                rest: bytes,
                _until: Until(guest),
            })
        }
        Err(body) => BoxBody::new(Streamed {
            body,
            _until: Until(guest),
        }),
    }
}

/// An answer that is being given.
struct Until(Guest);

impl Drop for Until {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// Bytes that are there, handed on slice by slice.
struct Slices {
    rest: Bytes,
    _until: Until,
}

impl MessageBody for Slices {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(SLICE);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

/// A stream, until its end.
struct Streamed {
    body: BoxBody,
    _until: Until,
}

impl MessageBody for Streamed {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
