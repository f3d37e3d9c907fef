//! Bytes as they come, cut into lines.

use actix_web::web::{Bytes, BytesMut};

/// A line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Which.
    pub(crate) number: u64,
    /// What stands in it, without its end; none: it is longer than it may be.
    pub(crate) text: Option<Bytes>,
}

/// Keeps no more than one line beside what was handed over last.
#[derive(Debug)]
pub(crate) struct Lines {
    limit: usize,
    buffer: BytesMut,
    number: u64,
    /// The line that is being read is too long: its rest is thrown away.
    is_too_long: bool,
}

impl Lines {
    /// No line may have more bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: BytesMut::new(),
            number: 0,
            is_too_long: false,
        }
    }

    /// The number of the line that comes next.
    pub(crate) fn upcoming(&self) -> u64 {
        self.number + 1
    }

    /// Takes what came.
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole line that is not empty.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        loop {
            let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
                self.give_up_on_a_long_one();
                return None;
            };
            let text = self.buffer.split_to(end + 1).freeze().slice(..end);
            if let Some(line) = self.numbered(text) {
                return Some(line);
            }
        }
    }

    /// What stands after the last end of a line, once nothing more comes.
    pub(crate) fn rest(&mut self) -> Option<Line> {
        let text = self.buffer.split().freeze();
        if text.is_empty() && !self.is_too_long {
            return None;
        }
        self.numbered(text)
    }

    fn numbered(&mut self, text: Bytes) -> Option<Line> {
        self.number += 1;
        let is_too_long = std::mem::take(&mut self.is_too_long) || text.len() > self.limit;
        let blank = text.iter().all(u8::is_ascii_whitespace);
        if blank && !is_too_long {
            return None;
        }
        Some(Line {
            number: self.number,
            text: (!is_too_long).then_some(text),
        })
    }

    fn give_up_on_a_long_one(&mut self) {
        if self.buffer.len() > self.limit {
            self.buffer.clear();
            self.is_too_long = true;
        } else if self.is_too_long {
            self.buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(limit: usize, chunks: &[&str]) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(limit);
        let mut found = Vec::new();
        let mut push = |line: Line| {
            let text = line.text.map(|text| String::from_utf8(text.to_vec()).unwrap());
            found.push((line.number, text));
        };
        for chunk in chunks {
            lines.feed(chunk.as_bytes());
            while let Some(line) = lines.next_line() {
                push(line);
            }
        }
        lines.rest().into_iter().for_each(push);
        found
    }

    fn text(number: u64, text: &str) -> (u64, Option<String>) {
        (number, Some(text.to_owned()))
    }

    #[test]
    fn lines_are_found_however_they_are_cut_into_chunks() {
        let expected = [text(1, "one"), text(2, "two"), text(3, "three")];
        assert_eq!(all(10, &["one\ntwo\nthree"]), expected);
        assert_eq!(all(10, &["one\ntwo\nthree\n"]), expected);
        assert_eq!(all(10, &["o", "ne", "\n", "two\nth", "ree"]), expected);
    }

    #[test]
    fn empty_lines_count_and_are_passed_over() {
        assert_eq!(all(10, &["\n \r\none\n\n", "two"]), [text(3, "one"), text(5, "two")]);
        assert!(all(10, &[""]).is_empty() && all(10, &["\n\n"]).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_named_and_the_next_one_is_whole() {
        let expected = [text(1, "one"), (2, None), text(3, "three")];
        assert_eq!(all(5, &["one\n123456\nthree\n"]), expected);
        assert_eq!(all(5, &["one\n123", "45678", "9012345678", "90\nthree"]), expected);
        assert_eq!(all(5, &["12345678", "90"]), [(1, None)]);
        assert_eq!(all(5, &["12345\n"]), [text(1, "12345")], "exactly as long as it may be");
    }

    #[test]
    fn a_long_line_is_not_kept() {
        let mut lines = Lines::new(10);
        for _ in 0..10_000 {
            lines.feed(&[b'x'; 1_000]);
            assert!(lines.next_line().is_none());
            assert!(lines.buffer.is_empty());
        }
    }
}
