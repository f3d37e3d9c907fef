//! A body that is on its way, in blocks. One buffer that grows would leave behind, each time, the one that it outgrew.

use actix_web::web::BytesMut;

/// Bytes that are set aside for a body at a time.
const BLOCK: usize = 16 * 1024;

pub(crate) struct Blocks {
    full: Vec<BytesMut>,
    last: BytesMut,
    length: usize,
}

impl Blocks {
    /// For a body of so many bytes, as far as that is known. Whatever is announced: what does not come takes no place.
    pub(crate) fn new(expected: usize) -> Self {
        Self {
            full: Vec::new(),
            last: BytesMut::with_capacity(expected.min(BLOCK)),
            length: 0,
        }
    }

    /// Bytes that are there.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, mut chunk: &[u8]) {
        self.length += chunk.len();
        while !chunk.is_empty() {
            if self.last.len() == self.last.capacity() {
                let full = std::mem::replace(&mut self.last, BytesMut::with_capacity(BLOCK));
                self.full.push(full);
            }
            let room = self.last.capacity() - self.last.len();
            let (now, later) = chunk.split_at(chunk.len().min(room));
            self.last.extend_from_slice(now);
            chunk = later;
        }
    }

    /// All of it.
    pub(crate) fn whole(self) -> BytesMut {
        if self.full.is_empty() {
            return self.last;
        }
        let mut whole = BytesMut::with_capacity(self.length);
        for block in self.full.iter().chain([&self.last]) {
            whole.extend_from_slice(block);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_whole_however_it_comes() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 * BLOCK + 5).collect();
        for (expected, cut) in [(0, 1), (5, 7_000), (BLOCK, BLOCK), (usize::MAX, bytes.len())] {
            let mut body = Blocks::new(expected);
            bytes.chunks(cut).for_each(|chunk| body.push(chunk));
            assert_eq!(body.length(), bytes.len());
            assert!(body.whole() == bytes, "{cut} at a time");
        }
        assert!(Blocks::new(0).whole().is_empty());
    }
}
