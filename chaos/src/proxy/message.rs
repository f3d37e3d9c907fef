//! One HTTP/1.1 message off a connection, whole: as much as a proxy has to know of HTTP to strike in its middle.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How a message's end is found.
enum Length {
    Bytes(usize),
    Chunked,
    UntilClosed,
}

/// One side of a proxied connection, with what was read of the next message already.
pub(crate) struct Side {
    pub(super) stream: TcpStream,
    rest: Vec<u8>,
}

/// A message's bytes, and whether all of it came and the connection stays.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_whole: bool,
    pub(crate) is_last: bool,
}

impl Side {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Small messages, each of them waited for.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    /// Reads a request (`is_answer` false) or an answer. None: the connection was closed before its first byte.
    pub(crate) async fn message(&mut self, is_answer: bool) -> io::Result<Option<Message>> {
        let mut bytes = std::mem::take(&mut self.rest);
        let head = loop {
            if let Some(at) = find(&bytes, b"\r\n\r\n") {
                break at + 4;
            }
            if self.stream.read_buf(&mut bytes).await? == 0 {
                let broken = Message {
                    bytes,
                    is_whole: false,
                    is_last: true,
                };
                return Ok(Some(broken).filter(|message| !message.bytes.is_empty()));
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let mut is_last = text.contains("\r\nconnection: close");
        let length = length(&text, is_answer);
        loop {
            let end = match length {
                Length::Bytes(count) => Some(head + count).filter(|end| bytes.len() >= *end),
                Length::Chunked => {
                    find(&bytes[head.saturating_sub(2)..], b"\r\n0\r\n\r\n").map(|at| head.saturating_sub(2) + at + 7)
                }
                Length::UntilClosed => None,
            };
            if let Some(end) = end {
                self.rest = bytes.split_off(end);
                break;
            }
            if self.stream.read_buf(&mut bytes).await? == 0 {
                let is_whole = matches!(length, Length::UntilClosed);
                is_last = true;
                return Ok(Some(Message {
                    bytes,
                    is_whole,
                    is_last,
                }));
            }
        }
        Ok(Some(Message {
            bytes,
            is_whole: true,
            is_last,
        }))
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Resolves when the other end has hung up.
    pub(super) async fn closed(&mut self) {
        let mut byte = [0];
        while matches!(self.stream.read(&mut byte).await, Ok(read) if read > 0) {}
    }

    /// Cuts the connection with a reset: what is under way in either direction is lost.
    pub(crate) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn length(head: &str, is_answer: bool) -> Length {
    let header = |name: &str| {
        let line = head.lines().find(|line| line.starts_with(name))?;
        Some(line[name.len()..].trim().to_owned())
    };
    if header("transfer-encoding:").is_some_and(|coding| coding.contains("chunked")) {
        return Length::Chunked;
    }
    match header("content-length:").and_then(|count| count.parse().ok()) {
        Some(count) => Length::Bytes(count),
        None if is_answer && !head.contains(" 204 ") => Length::UntilClosed,
        None => Length::Bytes(0),
    }
}
