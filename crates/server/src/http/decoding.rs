//! Content codings of request bodies: gzip, or none. Whatever comes is counted as it is without its coding, and never
//! more of it is made than is asked for: a few bytes cannot become many.

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::StreamExt as _;
use futures_util::stream::{LocalBoxStream, unfold};
use tokio::task::yield_now;

use upsert_api::ProblemCode;

use crate::http::blocks::Blocks;
use crate::http::problem::Problem;

/// How a body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// By gzip.
    Gzip,
}

impl Encoding {
    /// Of this request.
    ///
    /// # Errors
    /// 415: another coding, or several.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let values = request.headers().get_all(header::CONTENT_ENCODING);
        let mut encoding = Self::Identity;
        for name in values.flat_map(|value| value.to_str().unwrap_or("?").split(',')) {
            let name = name.trim();
            let is_gzip = name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip");
            if is_gzip && encoding == Self::Identity {
                encoding = Self::Gzip;
            } else if !name.is_empty() && !name.eq_ignore_ascii_case("identity") {
                let detail = "the body may be coded by `gzip`, once, or not at all";
                return Err(unsupported(detail, "gzip"));
            }
        }
        Ok(encoding)
    }
}

/// 415 for a content coding, with those that are taken.
pub(crate) fn unsupported(detail: &str, taken: &'static str) -> Problem {
    let problem = Problem::new(ProblemCode::UnsupportedMediaType, detail);
    problem.with(header::ACCEPT_ENCODING, HeaderValue::from_static(taken))
}

/// Why a body is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is longer than it may be.
    TooLong,
    /// It is no gzip, or its end is missing.
    Corrupted,
}

/// What undoes gzip, which may be several that follow each other.
struct Gunzip {
    inflate: Decompress,
    /// Nothing is missing of what came.
    is_whole: bool,
}

impl Gunzip {
    fn new() -> Self {
        Self {
            inflate: Decompress::new_gzip(15),
            is_whole: false,
        }
    }

    /// Takes of the input what fills this room, and says how much of it was filled.
    fn step(&mut self, input: &mut &[u8], room: &mut [u8]) -> Result<usize, Unread> {
        if self.is_whole && !input.is_empty() {
            *self = Self::new();
        }
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, room, FlushDecompress::None);
        let status = status.map_err(|_| Unread::Corrupted)?;
        let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let (taken, made) = (
            since(self.inflate.total_in(), before.0),
            since(self.inflate.total_out(), before.1),
        );
        self.is_whole |= status == Status::StreamEnd;
        if taken + made == 0 && !input.is_empty() {
            return Err(Unread::Corrupted);
        }
        *input = input.get(taken..).unwrap_or_default();
        Ok(made)
    }
}

/// What is decoded in one step.
const PIECE: usize = 8 * 1024;
/// So many in a row, and others have their turn: a little that came may become very much.
const PIECES_AT_ONCE: usize = 16;

/// A body as far as it is there, up to a limit.
pub(crate) struct Decoded {
    body: Blocks,
    limit: usize,
    /// None: it comes as it is.
    gunzip: Option<Gunzip>,
    is_empty: bool,
}

impl Decoded {
    /// For a body of `limit` bytes at the most, of which `expected` are announced.
    pub(crate) fn new(encoding: Encoding, limit: usize, expected: usize) -> Self {
        Self {
            body: Blocks::new(expected),
            limit,
            gunzip: (encoding == Encoding::Gzip).then(Gunzip::new),
            is_empty: true,
        }
    }

    /// Takes what came.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Result<(), Unread> {
        self.is_empty &= chunk.is_empty();
        let Some(mut gunzip) = self.gunzip.take() else {
            return self.keep(chunk);
        };
        let (mut input, mut room) = (chunk, [0; PIECE]);
        loop {
            let made = gunzip.step(&mut input, &mut room)?;
            self.keep(&room[..made])?;
            if input.is_empty() && made < PIECE {
                self.gunzip = Some(gunzip);
                return Ok(());
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Unread> {
        if self.body.length() + piece.len() > self.limit {
            return Err(Unread::TooLong);
        }
        self.body.push(piece);
        Ok(())
    }

    /// The whole of it. Where nothing came, it is empty, however it was to be coded.
    pub(crate) fn end(self) -> Result<BytesMut, Unread> {
        let is_whole = self.gunzip.is_none_or(|gunzip| gunzip.is_whole);
        if is_whole || self.is_empty {
            Ok(self.body.whole())
        } else {
            Err(Unread::Corrupted)
        }
    }
}

/// A body in pieces, as they are without a coding.
pub(crate) type Pieces = LocalBoxStream<'static, Result<Bytes, PayloadError>>;

/// Reads a body piece by piece; nothing is read before it is asked for.
pub(crate) fn pieces(payload: Payload, encoding: Encoding) -> Pieces {
    if encoding == Encoding::Identity {
        return Box::pin(payload);
    }
    let reading = Some(Reading {
        payload,
        gunzip: Gunzip::new(),
        came: Bytes::new(),
        has_more: false,
        in_a_row: 0,
    });
    Box::pin(unfold(reading, |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Some(Ok(piece)) => Some((Ok(piece), Some(reading))),
            Some(Err(error)) => Some((Err(error), None)),
            None => None,
        }
    }))
}

struct Reading {
    payload: Payload,
    gunzip: Gunzip,
    came: Bytes,
    /// The last piece was full: there may be more of what came.
    has_more: bool,
    /// Pieces since others had their turn.
    in_a_row: usize,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, PayloadError>> {
        loop {
            if !self.came.is_empty() || self.has_more {
                if self.in_a_row >= PIECES_AT_ONCE {
                    self.in_a_row = 0;
                    yield_now().await;
                }
                self.in_a_row += 1;
                match self.piece() {
                    Ok(piece) if piece.is_empty() => {}
                    Ok(piece) => return Some(Ok(piece)),
                    Err(_) => return Some(Err(PayloadError::EncodingCorrupted)),
                }
                continue;
            }
            match self.payload.next().await {
                Some(Ok(chunk)) => self.came = chunk,
                Some(Err(error)) => return Some(Err(error)),
                None if self.gunzip.is_whole => return None,
                None => return Some(Err(PayloadError::EncodingCorrupted)),
            }
        }
    }

    fn piece(&mut self) -> Result<Bytes, Unread> {
        let mut room = vec![0; PIECE];
        let mut input = &self.came[..];
        let made = self.gunzip.step(&mut input, &mut room)?;
        let taken = self.came.len() - input.len();
        self.came = self.came.slice(taken..);
        self.has_more = made == PIECE;
        room.truncate(made);
        Ok(room.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(limit: usize, chunks: &[&[u8]]) -> Result<Vec<u8>, Unread> {
        let mut decoded = Decoded::new(Encoding::Gzip, limit, 0);
        for chunk in chunks {
            decoded.take(chunk)?;
        }
        decoded.end().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn a_body_is_decoded_up_to_its_limit_and_not_a_byte_further() {
        let text = vec![b' '; 1000];
        let whole = gzip(&text);
        let (first, second) = whole.split_at(7);
        assert_eq!(decoded(1000, &[first, second]).unwrap(), text);
        assert_eq!(decoded(999, &[&whole]), Err(Unread::TooLong));
        assert_eq!(decoded(1000, &[&whole[..whole.len() - 1]]), Err(Unread::Corrupted));
        assert_eq!(decoded(1000, &[b"{}"]), Err(Unread::Corrupted));
        assert_eq!(decoded(1000, &[]).unwrap(), b"");
        // Two that follow each other are one body.
        assert_eq!(decoded(1000, &[&gzip(b"a"), &gzip(b"b")]).unwrap(), b"ab");
    }

    #[test]
    fn a_bomb_is_refused_before_it_has_taken_room() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let mut decoded = Decoded::new(Encoding::Gzip, 64 << 10, 0);
        assert_eq!(decoded.take(&bomb), Err(Unread::TooLong));
        assert!(decoded.body.length() <= 64 << 10);
    }

    #[tokio::test]
    async fn what_is_read_in_pieces_is_never_much_at_once() {
        let text = vec![b'x'; 8 << 20];
        let chunks = gzip(&text).chunks(3000).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let payload = futures_util::stream::iter(chunks.into_iter().map(Ok)).boxed_local();
        let mut pieces = pieces(Payload::Stream { payload }, Encoding::Gzip);
        let mut length = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() <= PIECE, "{}", piece.len());
            length += piece.len();
        }
        assert_eq!(length, text.len());
    }

    #[tokio::test]
    async fn what_is_read_in_pieces_lets_others_have_their_turn() {
        let chunk = Bytes::from(gzip(&vec![b'\n'; 8 << 20]));
        let payload = futures_util::stream::iter([Ok(chunk)]).boxed_local();
        let mut pieces = pieces(Payload::Stream { payload }, Encoding::Gzip);
        let (mut at_once, mut most) = (0, 0);
        loop {
            match futures_util::poll!(pieces.next()) {
                std::task::Poll::Ready(Some(_)) => at_once += 1,
                std::task::Poll::Ready(None) => break,
                std::task::Poll::Pending => at_once = 0,
            }
            most = most.max(at_once);
        }
        assert!(most <= PIECES_AT_ONCE, "{most} pieces without a pause");
    }
}
