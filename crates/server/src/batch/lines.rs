//! The lines of a body that is still arriving, one at a time.

use std::ops::AddAssign as _;

use actix_web::web::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};

/// A line as it was cut out, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Not empty.
    Line(Bytes),
    /// Longer than a line may be; the rest of it is passed over.
    TooLong,
    /// The body broke off within it.
    BrokenOff,
}

/// Cuts a body at its line feeds. It holds one line and one piece of the body at the most.
#[derive(Debug)]
pub(crate) struct Lines<S> {
    body: S,
    limit: usize,
    buffer: BytesMut,
    /// So much of the buffer is known to hold no line feed.
    searched: usize,
    /// The line that is being read, from 1.
    number: u64,
    /// The line was too long: what comes up to its end is passed over.
    skipping: bool,
    ended: bool,
}

impl<S, E> Lines<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Of this body; a line may have `limit` bytes.
    pub(crate) fn new(body: S, limit: usize) -> Self {
        Self {
            body,
            limit,
            buffer: BytesMut::new(),
            searched: 0,
            number: 1,
            skipping: false,
            ended: false,
        }
    }

    /// The number of the line that would come next.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not empty, with its number. May be dropped while it waits: nothing is lost by that.
    pub(crate) async fn next(&mut self) -> Option<(u64, Cut)> {
        loop {
            if let Some(cut) = self.cut() {
                return Some(cut);
            }
            if self.ended {
                return None;
            }
            match self.body.next().await {
                Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
                Some(Err(_)) => {
                    self.ended = true;
                    let within = !self.buffer.is_empty() && !self.skipping;
                    self.forget();
                    if within {
                        return Some((self.number, Cut::BrokenOff));
                    }
                }
                None => {
                    self.ended = true;
                    // The last line needs no line feed.
                    self.buffer.extend_from_slice(b"\n");
                }
            }
        }
    }

    fn cut(&mut self) -> Option<(u64, Cut)> {
        loop {
            let feed = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(at) = feed.map(|at| self.searched + at) else {
                self.searched = self.buffer.len();
                return self.overlong();
            };
            let mut line = self.buffer.split_to(at + 1);
            self.searched = 0;
            let number = self.number;
            self.number.add_assign(1);
            line.truncate(at);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if line.last() == Some(&b'\r') {
                line.truncate(at - 1);
            }
            if line.len() > self.limit {
                return Some((number, Cut::TooLong));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some((number, Cut::Line(line.freeze())));
            }
        }
    }

    /// The buffer holds no line feed: is it too long already? Two more bytes may be the line's end.
    fn overlong(&mut self) -> Option<(u64, Cut)> {
        if self.skipping {
            self.forget();
        } else if self.buffer.len() > self.limit + 1 {
            self.skipping = true;
            self.forget();
            return Some((self.number, Cut::TooLong));
        }
        None
    }

    fn forget(&mut self) {
        self.buffer.clear();
        self.searched = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    type Piece = Result<Bytes, ()>;

    async fn cut(pieces: Vec<Piece>) -> Vec<(u64, Cut)> {
        let mut lines = Lines::new(stream::iter(pieces), 4);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await {
            all.push(line);
            assert!(lines.buffer.len() <= 64);
        }
        all
    }

    fn pieces(text: &str, size: usize) -> Vec<Piece> {
        text.as_bytes()
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect()
    }

    fn line(text: &'static str) -> Cut {
        Cut::Line(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn empty_lines_are_counted_and_passed_over_however_the_body_is_cut() {
        let text = "ab\r\n\n  \r\nabcd\r\nx\ny";
        for size in 1..=text.len() {
            let all = cut(pieces(text, size)).await;
            assert_eq!(
                all,
                [(1, line("ab")), (4, line("abcd")), (5, line("x")), (6, line("y"))],
                "{size}"
            );
        }
        assert_eq!(cut(Vec::new()).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_told_of_once_and_the_next_one_is_whole() {
        for size in 1..=17 {
            let all = cut(pieces("a\nabcde\nb\nabcdefghijk\nc\nabcdef", size)).await;
            let wanted = [
                (1, line("a")),
                (2, Cut::TooLong),
                (3, line("b")),
                (4, Cut::TooLong),
                (5, line("c")),
                (6, Cut::TooLong),
            ];
            assert_eq!(all, wanted, "{size}");
        }
    }

    #[tokio::test]
    async fn what_broke_off_within_a_line_is_no_line_even_if_it_looks_like_one() {
        let broken = |text: &str| {
            let mut all = pieces(text, 3);
            all.push(Err(()));
            all
        };
        assert_eq!(cut(broken("a\n{}")).await, [(1, line("a")), (2, Cut::BrokenOff)]);
        assert_eq!(cut(broken("a\n{\"b")).await, [(1, line("a")), (2, Cut::BrokenOff)]);
        assert_eq!(cut(broken("a\n")).await, [(1, line("a"))]);
        assert_eq!(cut(broken("abcdefgh")).await, [(1, Cut::TooLong)]);
    }
}
