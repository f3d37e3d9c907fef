//! Answers that break: closed connections, endless ones, wrong bodies.
//!
//! actix drops a connection whose body stream fails. When it fails at once, not even the head was written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

const JSON: &str = "application/json; charset=utf-8";
const BLOCK: usize = 64 * 1024;

type Chunk = Result<Bytes, io::Error>;

/// Closes the connection without a byte.
pub(crate) fn cut() -> HttpResponse {
    HttpResponse::Ok().streaming(stream::iter([Chunk::Err(cut_off())]))
}

/// Sends the head and half of the body, then closes the connection.
pub(crate) fn cut_in_the_middle(status: StatusCode, body: &str) -> HttpResponse {
    let whole = Bytes::copy_from_slice(body.as_bytes());
    let half = whole.slice(..whole.len() / 2);
    // The pause lets the half reach the wire before the connection goes.
    let end = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Chunk::Err(cut_off())
    });
    sized(status, whole.len() as u64, stream::iter([Chunk::Ok(half)]).chain(end))
}

/// Sends the body byte by byte.
pub(crate) fn drip(status: StatusCode, body: &str, every: Duration) -> HttpResponse {
    let whole = Bytes::copy_from_slice(body.as_bytes());
    let length = whole.len() as u64;
    let bytes = stream::iter(0..whole.len()).then(move |at| {
        let byte = whole.slice(at..=at);
        async move {
            tokio::time::sleep(every).await;
            Chunk::Ok(byte)
        }
    });
    sized(status, length, bytes)
}

/// A valid JSON object of at least this size, without holding it in memory.
pub(crate) fn huge(bytes: u64) -> HttpResponse {
    const HEAD: &[u8] = br#"{"filler":""#;
    const TAIL: &[u8] = br#""}"#;
    let block = BLOCK as u64;
    let blocks = bytes.div_ceil(block);
    let length = (HEAD.len() + TAIL.len()) as u64 + blocks * block;
    let filler = Bytes::from(vec![b'a'; BLOCK]);
    let middle = stream::iter(0..blocks).map(move |_| Chunk::Ok(filler.clone()));
    let whole = stream::iter([Chunk::Ok(Bytes::from_static(HEAD))])
        .chain(middle)
        .chain(stream::iter([Chunk::Ok(Bytes::from_static(TAIL))]));
    sized(StatusCode::OK, length, whole)
}

/// 200 with another body than any page shows.
pub(crate) fn wrong(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(body)
}

/// An ordinary answer.
pub(crate) fn json(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status).content_type(JSON).body(body)
}

/// The same body; what it holds is dropped when its last byte was taken, or when the connection is gone.
pub(crate) fn then<T: Unpin + 'static>(body: BoxBody, held: T) -> BoxBody {
    BoxBody::new(Holding { body, _held: held })
}

struct Holding<T> {
    body: BoxBody,
    _held: T,
}

impl<T: Unpin + 'static> MessageBody for Holding<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

fn sized(status: StatusCode, length: u64, chunks: impl Stream<Item = Chunk> + 'static) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(JSON)
        .body(SizedStream::new(length, Box::pin(chunks)))
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand")
}
