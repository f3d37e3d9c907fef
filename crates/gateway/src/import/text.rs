//! A file's text as UTF-8, whatever it was saved as; read a piece at a time.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use encoding_rs::{Decoder, DecoderResult, Encoding, REPLACEMENT, UTF_8};

const PIECE: usize = 64 * 1024;

/// Text that is read.
pub(crate) struct Text {
    /// UTF-8; where the file itself is, it is passed through, for the reader to look at.
    pub(crate) input: Box<dyn BufRead>,
    /// What the file is.
    pub(crate) encoding: &'static Encoding,
    /// How much of the file was read.
    pub(crate) taken: Taken,
}

/// Bytes of the file, counted as they are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken(Rc<Cell<u64>>);

impl Taken {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.get()
    }
}

/// The encoding of this name, such as `windows-1252`.
pub(crate) fn encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label_no_replacement(label.as_bytes())
        .filter(|encoding| *encoding != REPLACEMENT)
        .ok_or_else(|| "is no encoding known here; such as windows-1252, utf-16le, macintosh, shift_jis".to_owned())
}

impl Text {
    /// A mark at the file's beginning says what it is; without one it is what was said, else UTF-8.
    pub(crate) fn open(input: Box<dyn Read>, said: Option<&'static Encoding>) -> io::Result<Self> {
        let taken = Taken::default();
        let mut input = Counted {
            input,
            taken: taken.clone(),
        };
        let mut head = Vec::new();
        (&mut input).take(3).read_to_end(&mut head)?;
        let (encoding, mark) = match Encoding::for_bom(&head) {
            Some((encoding, length)) => (encoding, length),
            None => (said.unwrap_or(UTF_8), 0),
        };
        let rest = io::Cursor::new(head.split_off(mark)).chain(input);
        let rest = BufReader::with_capacity(PIECE, rest);
        let input: Box<dyn BufRead> = if encoding == UTF_8 {
            Box::new(rest)
        } else {
            Box::new(Decoded {
                input: rest,
                decoder: encoding.new_decoder_without_bom_handling(),
                ended: None,
                ready: vec![0; PIECE],
                from: 0,
                to: 0,
            })
        };
        Ok(Self { input, encoding, taken })
    }
}

struct Counted {
    input: Box<dyn Read>,
    taken: Taken,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        self.taken.0.set(self.taken.0.get() + read as u64);
        Ok(read)
    }
}

/// Decodes; nothing that cannot be decoded is replaced by something else.
struct Decoded<R> {
    input: BufReader<R>,
    decoder: Decoder,
    /// How it ended: well, or at something that cannot be decoded.
    ended: Option<bool>,
    /// What was decoded; of it, what was not taken yet.
    ready: Vec<u8>,
    from: usize,
    to: usize,
}

impl<R: Read> BufRead for Decoded<R> {
    /// # Errors
    /// `InvalidData` where what comes next cannot be decoded; all before it has been handed over by then.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.from == self.to {
            match self.ended {
                Some(true) => break,
                Some(false) => return Err(io::Error::from(io::ErrorKind::InvalidData)),
                None => {}
            }
            let piece = self.input.fill_buf()?;
            let is_last = piece.is_empty();
            let (result, read, written) =
                self.decoder
                    .decode_to_utf8_without_replacement(piece, &mut self.ready, is_last);
            self.input.consume(read);
            (self.from, self.to) = (0, written);
            match result {
                DecoderResult::InputEmpty if is_last => self.ended = Some(true),
                DecoderResult::Malformed(..) => self.ended = Some(false),
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            }
        }
        Ok(&self.ready[self.from..self.to])
    }

    fn consume(&mut self, amount: usize) {
        self.from = (self.from + amount).min(self.to);
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1252};

    use super::*;

    fn read(bytes: &[u8], said: Option<&'static Encoding>) -> (&'static str, io::Result<String>) {
        let mut text = Text::open(Box::new(io::Cursor::new(bytes.to_vec())), said).unwrap();
        let mut all = String::new();
        let read = text.input.read_to_string(&mut all);
        assert!(text.taken.bytes() <= bytes.len() as u64);
        (text.encoding.name(), read.map(|_| all))
    }

    fn utf_16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xfeff)
            .chain(text.encode_utf16())
            .flat_map(order)
            .collect()
    }

    #[test]
    fn a_file_is_read_by_its_mark_or_by_what_was_said_of_it() {
        let text = "Zoë;Łukasz;𝄞\r\n";
        let cases: Vec<(Vec<u8>, Option<&'static Encoding>, &Encoding, &str)> = vec![
            (text.as_bytes().to_vec(), None, UTF_8, text),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), None, UTF_8, text),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), Some(UTF_8), UTF_8, text),
            (utf_16(text, u16::to_le_bytes), None, UTF_16LE, text),
            (utf_16(text, u16::to_be_bytes), None, UTF_16BE, text),
            (utf_16(text, u16::to_le_bytes), Some(WINDOWS_1252), UTF_16LE, text),
            (
                utf_16(text, u16::to_le_bytes)[2..].to_vec(),
                Some(UTF_16LE),
                UTF_16LE,
                text,
            ),
            (b"Zo\xeb \x80".to_vec(), Some(WINDOWS_1252), WINDOWS_1252, "Zoë €"),
            (
                SHIFT_JIS.encode("山田太郎").0.into_owned(),
                Some(SHIFT_JIS),
                SHIFT_JIS,
                "山田太郎",
            ),
            (Vec::new(), None, UTF_8, ""),
            (b"\xef\xbb\xbf".to_vec(), None, UTF_8, ""),
            (b"a".to_vec(), None, UTF_8, "a"),
        ];
        for (bytes, said, encoding, text) in cases {
            let (name, read) = read(&bytes, said);
            assert_eq!((name, read.unwrap().as_str()), (encoding.name(), text), "{bytes:x?}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_never_replaced() {
        for (bytes, said) in [
            (&b"\xff\xfea\0\x00\xd8b\0"[..], None),
            (b"\xff\xfea\0b", None),
            (b"ok \x81", Some(SHIFT_JIS)),
        ] {
            let error = read(bytes, said).1.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bytes:x?}");
        }
    }

    #[test]
    fn long_text_comes_through_whole_in_pieces() {
        let text = "Ünïcödé €𝄞 ".repeat(50_000);
        assert_eq!(read(&utf_16(&text, u16::to_be_bytes), None).1.unwrap(), text);
    }

    #[test]
    fn an_encoding_is_known_by_its_usual_names() {
        for (label, name) in [
            ("latin1", "windows-1252"),
            ("UTF-16", "UTF-16LE"),
            ("cp1251", "windows-1251"),
        ] {
            assert_eq!(encoding(label).unwrap().name(), name);
        }
        assert!(encoding("utf-9").is_err() && encoding("iso-2022-kr").is_err());
    }
}
